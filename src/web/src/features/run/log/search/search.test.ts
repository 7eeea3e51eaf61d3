import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, nextTick, reactive } from 'vue'
import { type Page, searchLog } from '@/api/runs'
import { useLogSearch } from './search'

vi.mock('@/api/runs', () => ({ searchLog: vi.fn() }))

interface Asked extends Page {
  text: string
  tell: (lines: number[]) => void
  signal: AbortSignal | undefined
  end: (count: number) => Promise<void>
  fail: (message: string) => Promise<void>
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve))
const scope = { current: effectScope() }
let asked: Asked[] = []

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  asked = []
  scope.current = effectScope()
  vi.mocked(searchLog).mockImplementation((_id, query, page, tell, signal) => {
    const { promise, resolve, reject } = withResolvers<number>()
    asked.push({
      ...page,
      text: query.text,
      tell,
      signal,
      end: (count) => {
        resolve(count)
        return settled()
      },
      fail: (message) => {
        reject(new Error(message))
        return settled()
      },
    })
    return promise
  })
})
afterEach(() => {
  scope.current.stop()
  vi.useRealTimers()
})

function withResolvers<T>() {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((take, refuse) => ([resolve, reject] = [take, refuse]))
  return { promise, resolve, reject }
}

function begin(text = 'x') {
  const given = reactive({ text, isPattern: false, lines: 10, isActive: false })
  const search = scope.current.run(() =>
    useLogSearch(
      () => 'run',
      () => given,
      () => given.lines,
      () => given.isActive,
    ),
  )
  if (!search) throw new Error('the scope has ended')
  return { given, search }
}

function last() {
  const found = asked.at(-1)
  if (!found) throw new Error('nothing was asked for')
  return found
}
const numbers = (first: number, count: number) => Array.from({ length: count }, (_, at) => first + at)

describe('useLogSearch', () => {
  it('shows the first hits before the whole log was searched', async () => {
    const { search } = begin()
    last().tell([4, 9])
    expect([search.known.value, search.count.value, search.isSearching.value]).toEqual([2, null, true])
    search.step(1)
    expect(search.current.value).toBe(4)
    await last().end(2)
    expect([search.count.value, search.isSearching.value]).toEqual([2, false])
  })

  it('steps through all hits, around both ends, and asks for the pages it needs', async () => {
    const { search } = begin()
    last().tell(numbers(1, 1000))
    await last().end(2500)
    search.step(-1)
    expect([search.at.value, search.current.value]).toEqual([2499, null])
    expect([last().skip, last().limit]).toEqual([2000, 1000])
    last().tell(numbers(5001, 500))
    expect(search.current.value).toBe(5500)
    await last().end(2500)
    search.step(1)
    expect([search.at.value, search.current.value]).toEqual([0, 1])
    expect(asked.length).toBe(2)
  })

  it('forgets the hits of another text', async () => {
    const { given, search } = begin()
    const before = last()
    before.tell([1])
    search.step(1)
    given.text = 'y'
    await nextTick()
    expect(before.signal?.aborted).toBe(true)
    before.tell([2])
    await before.end(1)
    expect([search.at.value, search.known.value, search.count.value]).toEqual([-1, 0, null])
    expect(last().text).toBe('y')
    given.text = ''
    await nextTick()
    expect([asked.length, search.isSearching.value]).toEqual([2, false])
  })

  it('looks again for what has come since, and keeps its place', async () => {
    const { given, search } = begin()
    last().tell([4])
    await last().end(1)
    search.step(1)
    given.lines = 20
    await nextTick()
    given.lines = 30
    await nextTick()
    expect(asked.length).toBe(1)
    vi.advanceTimersByTime(3000)
    last().tell([4, 15])
    await last().end(2)
    expect([asked.length, search.at.value, search.count.value]).toEqual([2, 0, 2])
  })

  it('does not break off a search to look again', async () => {
    const { given } = begin()
    given.lines = 20
    await nextTick()
    vi.advanceTimersByTime(3000)
    expect(asked.length).toBe(1)
    await last().end(0)
    vi.advanceTimersByTime(3000)
    expect(asked.length).toBe(2)
  })

  it('says what went wrong, and does not insist', async () => {
    const { given, search } = begin('(')
    await last().fail('This is not a regular expression: missing )')
    expect(search.failure.value).toMatch(/missing/)
    given.lines = 20
    await nextTick()
    vi.advanceTimersByTime(10_000)
    expect(asked.length).toBe(1)
    given.text = '()'
    await nextTick()
    expect(search.failure.value).toBe('')
  })
})
