import { expect, it } from 'vitest'
import { Extra, HEAD, lastLineOf, LINE, Rows, sectionsOf, type StepRun } from './rows'

function step(n: number, first: number, last: number, more: Partial<StepRun> = {}): StepRun {
  return {
    n,
    name: `step ${n}`,
    status: 'succeeded',
    started_at: '',
    finished_at: '2026-01-01T00:00:00Z',
    return_code: 0,
    attempts: 1,
    first_line: first,
    last_line: last,
    ...more,
  }
}
const shown = (steps: StepRun[], count: number) =>
  sectionsOf(steps, count).map((item) => [item.step?.n ?? null, item.first, item.last])

it('puts lines of no step between the steps', () => {
  expect(shown([], 3)).toEqual([[null, 1, 3]])
  expect(shown([step(1, 2, 3), step(2, 4, 3), step(3, 5, 6)], 8)).toEqual([
    [null, 1, 1],
    [1, 2, 3],
    [2, 4, 3],
    [null, 4, 4],
    [3, 5, 6],
    [null, 7, 8],
  ])
})

it('gives a step that goes on all that follows', () => {
  const running = step(2, 3, 2, { finished_at: null, status: 'running' })
  expect(shown([step(1, 1, 2), running], 9)).toEqual([
    [1, 1, 2],
    [2, 3, 9],
  ])
})

it('gives a step whose worker died what it printed', () => {
  const lost = step(2, 3, 2, { status: 'lost' })
  expect(shown([step(1, 1, 2), lost], 9)).toEqual([
    [1, 1, 2],
    [2, 3, 9],
  ])
  expect(lastLineOf(step(1, 1, 0), 9)).toBe(0)
})

it('finds rows by their height, and lines of a million', () => {
  const rows = new Rows([step(1, 1, 10)], 1_000_000, () => false, new Extra())
  expect(rows.height).toBe(HEAD + 999_990 * LINE)
  expect(rows.between(0, HEAD + LINE).map((row) => row.key)).toEqual(['s1', 'l11'])
  expect(rows.yOf(5)).toBeNull()
  const y = rows.yOf(700_000) ?? 0
  expect(rows.between(y, y + LINE).map((row) => row.line)).toEqual([700_000])
})

it('knows of lines that are higher', () => {
  const extra = new Extra()
  expect([extra.set(2, 40), extra.set(2, 40), extra.set(9, 20)]).toEqual([true, false, true])
  const rows = new Rows([], 10, () => true, extra)
  expect(rows.height).toBe(10 * LINE + 60)
  expect([rows.yOf(2), rows.yOf(3), rows.yOf(10)]).toEqual([LINE, 2 * LINE + 40, 9 * LINE + 60])
  expect(rows.between(LINE + 30, LINE + 59).map((row) => row.line)).toEqual([2])
})

it('knows whose lines stand at a height', () => {
  const steps = [step(1, 1, 10), step(2, 11, 20)]
  const rows = new Rows(steps, 30, ({ n }) => n === 1, new Extra())
  const at = (y: number) => rows.stepAt(y)?.n ?? null
  expect(at(HEAD / 2)).toBeNull()
  expect(at(HEAD + LINE)).toBe(1)
  // Where the next head comes, the last one makes room for it.
  expect(at(HEAD + 10 * LINE - HEAD + 1)).toBeNull()
  // Lines of no step stand below the head of a closed one.
  expect(at(2 * HEAD + 15 * LINE)).toBeNull()
})

it('shows picked lines only, in their steps', () => {
  const extra = new Extra()
  extra.set(12, 40)
  const rows = new Rows([step(1, 1, 10), step(2, 11, 20)], 30, () => true, extra, [3, 12, 15, 25])
  expect(rows.between(0, rows.height).map((row) => row.key)).toEqual(['s1', 'l3', 's2', 'l12', 'l15', 'l25'])
  expect(rows.height).toBe(2 * HEAD + 4 * LINE + 40)
  expect([rows.yOf(15), rows.yOf(14), rows.yOf(1)]).toEqual([2 * HEAD + 2 * LINE + 40, null, null])
})
