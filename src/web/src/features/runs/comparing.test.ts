import { expect, test } from 'vitest'
import type { WholeRun } from '@/api/runs'
import { absentText, factRows, inputRows, outputRows, stepRows } from './comparing'

const run = (more: Partial<WholeRun>) =>
  ({
    return_code: 0,
    duration_ms: 1_000,
    started_at: null,
    by: 'ann',
    origin: 'api',
    dry_run: false,
    relation: null,
    reason: null,
    errors: [],
    warnings: [],
    log_lines: 3,
    inputs: {},
    outputs: {},
    steps: [],
    ...more,
  }) as unknown as WholeRun

test('tells what differs, and leaves out what neither has', () => {
  const rows = factRows(run({}), run({ return_code: 2, by: 'bob' }))
  const differing = rows.filter((row) => row.differs).map((row) => row.name)
  expect(differing).toEqual(['Exit code', 'Requested by'])
  expect(rows.map((row) => row.name)).not.toContain('Reason')
})

test('an ordinary run has a kind beside another one, and a missing value is not set', () => {
  const kind = factRows(run({}), run({ dry_run: true, relation: 'retry' })).find((row) => row.name === 'Kind')
  expect(kind).toMatchObject({ texts: ['Run', 'Dry run, retry'], differs: true })
  expect(factRows(run({}), run({})).map((row) => row.name)).not.toContain('Kind')
  expect(outputRows(run({ outputs: { n: 1 } }), run({})).map(absentText)).toEqual(['Not set'])
})

test('a duration differs where it is far longer', () => {
  const duration = (ms: number) =>
    factRows(run({}), run({ duration_ms: ms })).find((row) => row.name === 'Duration')
  expect(duration(1_400)).toMatchObject({ differs: false, note: '400 ms longer' })
  expect(duration(3_000)).toMatchObject({ differs: true, note: '2.0 s longer' })
})

test('inputs that were not kept are told apart from values', () => {
  const [secret, host] = inputRows(
    run({ inputs: { TOKEN: { given: true }, HOST: { value: 'a' } } }),
    run({ inputs: { TOKEN: { given: true }, HOST: { value: 'b' } } }),
  )
  expect(secret).toMatchObject({ texts: ['set, not stored', 'set, not stored'], differs: false })
  expect(host).toMatchObject({ texts: ['a', 'b'], differs: true })
})

test('outputs and steps of only one run differ', () => {
  expect(outputRows(run({ outputs: { n: [1] } }), run({}))).toMatchObject([
    { name: 'n', texts: ['[1]', null], differs: true },
  ])
  const steps = [{ name: 'Copy', status: 'failed', return_code: 3 }] as WholeRun['steps']
  expect(stepRows(run({ steps }), run({}))).toMatchObject([
    { name: 'Copy', texts: ['Failed, exit code 3', null], differs: true },
  ])
})

test('steps have their durations, which differ where one is far longer', () => {
  const step = (name: string, seconds: number | null) => ({
    name, status: seconds === null ? 'running' : 'succeeded', return_code: null, attempts: 1,
    started_at: '2026-01-23T14:00:00Z',
    finished_at: seconds === null ? null : new Date(Date.UTC(2026, 0, 23, 14, 0, seconds)).toISOString(),
  })
  const steps = (...made: ReturnType<typeof step>[]) => run({ steps: made as WholeRun['steps'] })
  expect(stepRows(steps(step('A', 2), step('B', 2)), steps(step('A', 2), step('B', 30)))).toMatchObject([
    { texts: ['Succeeded, 2.0 s', 'Succeeded, 2.0 s'], differs: false },
    { texts: ['Succeeded, 2.0 s', 'Succeeded, 30 s'], differs: true, note: '28 s longer' },
  ])
  expect(stepRows(steps(step('A', null)), steps(step('A', 2)))[0]?.texts).toEqual(['Running', 'Succeeded, 2.0 s'])
})
