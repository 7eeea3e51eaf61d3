import { afterEach, expect, it, vi } from 'vitest'
import { effectScope, reactive, shallowRef, triggerRef } from 'vue'
import type { RunEvent } from '@/api/events'
import { useErrorLines } from './error-lines'
import { RunLog } from './log'
import { urlOf } from '@/shared/page/url'

const route = reactive({ query: { stream: 'stderr' } as Record<string, string>, hash: '' })
const url = urlOf(route, { replace: () => Promise.resolve() })
const scope = effectScope()
afterEach(() => scope.stop())

it('shows the stored lines of stderr, page by page, and those that follow', async () => {
  const stored = Array.from({ length: 10_002 }, (_, at) => 2 * at + 1)
  vi.stubGlobal('fetch', ({ url }: Request) => {
    const query = new URL(url).searchParams
    expect(query.get('stream')).toBe('stderr')
    const rows = stored.filter((line) => line >= Number(query.get('from'))).slice(0, Number(query.get('lines')))
    const texts = rows.map((line) => JSON.stringify({ line, stream: 'stderr', at: '', step: null, text: `e${line}` }))
    return Promise.resolve(new Response(texts.join('\n')))
  })
  const log = shallowRef(new RunLog({ lines: 20_002, event: 7 }))
  const errors = scope.run(() => useErrorLines(() => 'r', () => log.value, url)) as ReturnType<typeof useErrorLines>
  expect(errors.picked.value).toBeNull()
  await vi.waitFor(() => expect(errors.picked.value).toHaveLength(10_001))
  const event = (n: number, stream: string, line: number) =>
    ({ n, at: '', type: stream, stream, text: `l${line}\n`, line }) as RunEvent
  log.value.add(event(8, 'stderr', 20_003))
  log.value.add(event(9, 'stdout', 20_004))
  log.value.add({ ...event(10, 'stderr', 20_005), text: '┊ of a called run\n' })
  triggerRef(log)
  expect(errors.picked.value?.slice(-2)).toEqual([20_001, 20_003])
  expect([errors.line(5)?.text, errors.line(20_003)?.text, errors.line(2)]).toEqual(['e5', 'l20003', undefined])
})
