import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { WholeRun } from '@/api/runs'
import { endsWithCall, excerptOf, failedCall, lastErrorLines } from './failure'

type Child = WholeRun['children'][number]

function child(id: string, status: string, created_at: string, ...children: Child[]): Child {
  return { id, status, created_at, relation: null, children } as unknown as Child
}
const step = (n: number, status: string, started_at: string) => ({ n, status, started_at })
const run = (steps: object[], ...children: Child[]) => ({ steps, children }) as unknown as WholeRun

it('finds the called run that failed, however deep', () => {
  const leaf = child('leaf', 'failed', '05')
  const middle = child('middle', 'failed', '04', child('fine', 'succeeded', '04'), leaf)
  const early = child('early', 'failed', '01')
  const nested = run([step(1, 'succeeded', '00'), step(2, 'failed', '03')], early, middle)
  expect(failedCall(nested)?.id).toBe('leaf')
  expect(endsWithCall(nested, leaf)).toBe(true)
})

it('does not blame a call of an earlier step, an undo, or one that went well', () => {
  const undo = { ...child('undo', 'failed', '05'), relation: 'undo' } as Child
  const steps = [step(2, 'failed', '03')]
  expect(failedCall(run(steps, child('early', 'failed', '01'), child('fine', 'succeeded', '04'), undo))).toBeNull()
})

it('knows that a call was not the last one', () => {
  const tried = child('tried', 'failed', '04')
  const steps = [step(1, 'failed', '03')]
  expect(endsWithCall(run(steps, tried, child('again', 'succeeded', '05')), tried)).toBe(false)
})

interface Line { line: number; stream: string; text: string }
let log: Line[] = []
let asked: string[] = []

beforeEach(() => {
  asked = []
  vi.stubGlobal('fetch', ({ url }: Request) => {
    const { searchParams: query } = new URL(url)
    asked.push(query.get('stream') ?? 'both')
    const found = log.filter(({ line, stream }) =>
      line >= Number(query.get('from')) && (query.get('stream') ?? stream) === stream)
    const rows = found.slice(0, Number(query.get('lines')))
    return Promise.resolve(new Response(rows.map((row) => JSON.stringify(row)).join('\n')))
  })
})
afterEach(() => vi.unstubAllGlobals())

function print(stream: string, ...texts: string[]) {
  for (const text of texts) log.push({ line: log.length + 1, stream, text })
}
const numbersOf = async (first: number, last: number) =>
  (await lastErrorLines('r', { first, last })).map(({ n }) => n)

it('takes the last lines of error output that say something, within the step', async () => {
  log = []
  print('stderr', ...Array.from({ length: 8 }, (_, at) => `error ${at + 1}`), '', '\u001b[31m \u001b[0m')
  print('stdout', 'goodbye')
  print('stderr', 'of the next step')
  expect(await numbersOf(1, 11)).toEqual([4, 5, 6, 7, 8])
  expect(await numbersOf(8, 11)).toEqual([8])
})

it('cuts lines that nobody reads to their end, and says so', async () => {
  log = []
  print('stderr', `host_key: ${'x'.repeat(800)} run: retrust`, 'y'.repeat(100_000))
  const [told, cut] = await lastErrorLines('r', { first: 1, last: 2 })
  expect(told?.text).toMatch(/retrust$/)
  expect(cut?.text).toMatch(/^y{1000,9999}…$/)
})

it('finds error output far from the end, and shows other output where there is none', async () => {
  log = []
  print('stdout', 'begin')
  print('stderr', 'here')
  print('stdout', ...Array.from({ length: 30_000 }, (_, at) => `after ${at}`))
  expect(await numbersOf(1, log.length)).toEqual([2])
  expect(await numbersOf(3, log.length)).toEqual([29_998, 29_999, 30_000, 30_001, 30_002])
  expect(asked.at(-1)).toBe('both')
  expect(await numbersOf(5, 4)).toEqual([])
})

it.each([['lost', [3, 4]], ['interrupted', [3, 4]], ['failed', [3]]])('shows what says most of a run that %s', async (status, shown) => {
  log = []
  print('stdout', 'begin', 'of the step')
  print('stderr', 'careful')
  print('stdout', 'how far it came')
  const last = { n: 1, status, first_line: 3, last_line: status === 'lost' ? 2 : 4, finished_at: '09' }
  const stopped = { id: 'r', status, steps: [last], log_lines: 4 } as unknown as WholeRun
  const { lines } = await excerptOf(stopped, null)
  expect(lines.map(({ n }) => n)).toEqual(shown)
})
