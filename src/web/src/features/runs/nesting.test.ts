import { expect, it } from 'vitest'
import type { Run } from '@/api/runs'
import { storedInputs } from './inputs'
import { belowText, listedText, nested } from './nesting'

const run = (id: string, parent: string | null = null, success = true) =>
  ({ id, parent_id: parent, success, active: false }) as Run
// Newest first, as the server lists them.
const RUNS = [run('orphan', 'gone'), run('deep', 'b'), run('b', 'top', false), run('a', 'top'), run('top')]
const shown = (open: string[]) =>
  nested(RUNS, new Set(open)).map((row) => `${' '.repeat(row.depth)}${row.run.id}`)

it('folds the runs that a run called', () => {
  expect(shown([])).toEqual(['orphan', 'top'])
  expect(shown(['top'])).toEqual(['orphan', 'top', ' a', ' b'])
  expect(shown(['top', 'b'])).toEqual(['orphan', 'top', ' a', ' b', '  deep'])
})

it('counts all runs below, and those that failed', () => {
  const rows = nested(RUNS, new Set())
  expect(belowText(rows[1]?.below ?? [])).toBe('3 runs, 1 failed')
  expect(rows[0]?.below).toEqual([])
  expect(listedText(RUNS)).toBe('2 runs and 3 that they called')
  expect(listedText(RUNS.slice(0, 1))).toBe('1 run')
})

it('shows stored values only, each on one short line', () => {
  const inputs = {
    HOST: { value: 'web1' }, TOKEN: { given: true }, NONE: { value: '' },
    TEXT: { value: `two\nlines ${'x'.repeat(300)}` }, COUNT: { value: 3 },
  }
  const found = storedInputs(inputs)
  expect(found.map((one) => one.name)).toEqual(['HOST', 'TEXT', 'COUNT'])
  expect(found[1]?.text).toMatch(/^two lines x+…$/)
  expect(found[1]?.text).toHaveLength(61)
})
