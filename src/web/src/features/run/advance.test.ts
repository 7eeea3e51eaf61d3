import { describe, expect, it } from 'vitest'
import type { RunEvent } from '@/api/events'
import type { WholeRun } from '@/api/runs'
import { advance, type Happening } from './advance'

const RUN = {
  id: 'r', status: 'queued', active: true, success: false, started_at: null, finished_at: null, duration_ms: null,
  return_code: null, errors: [], warnings: [], outputs: {}, waiting: { lock: 'site' }, steps: [],
  last_event: 1, log_lines: 0,
} as unknown as WholeRun

/** Events a second apart, numbered from 2; `lines` is how many had been printed. */
function events(...given: (Partial<RunEvent> & { lines?: number })[]): Happening[] {
  return given.map(({ lines = 0, ...event }, at) => ({
    event: { n: at + 2, at: `2026-01-01T00:00:0${at}.000Z`, ...event } as RunEvent,
    lines,
  }))
}
const step = (n: number, state: string, more: object = {}) =>
  ({ type: 'step', step: n, name: `Step ${n}`, state, ...more }) as Partial<RunEvent>

describe('advance', () => {
  it('leads a run from its start to its end', () => {
    const run = advance(RUN, events(
      { type: 'started' },
      step(1, 'started'),
      { ...step(1, 'ended', { status: 'succeeded', return_code: 0 }), lines: 3 },
      { ...step(2, 'started'), lines: 3 },
      { ...step(2, 'retrying', { attempt: 2 }), lines: 4 },
      { ...step(2, 'ended', { status: 'failed', return_code: 4 }), lines: 5 },
      { type: 'done', status: 'failed', success: false, return_code: 4, errors: ['x'], warnings: [], problems: [{ code: 'x' }], outputs: { a: 1 }, lines: 5 },
    ))
    expect(run).toMatchObject({
      status: 'failed', active: false, success: false, return_code: 4, errors: ['x'], outputs: { a: 1 }, waiting: null,
      problems: [{ code: 'x' }],
      started_at: '2026-01-01T00:00:00.000Z', finished_at: '2026-01-01T00:00:06.000Z', duration_ms: 6_000,
      last_event: 8, log_lines: 5,
    })
    expect(run.steps).toMatchObject([
      { n: 1, status: 'succeeded', return_code: 0, first_line: 1, last_line: 3, attempts: 1 },
      { n: 2, status: 'failed', return_code: 4, first_line: 4, last_line: 5, attempts: 2 },
    ])
    expect(run.steps[1]?.finished_at).toBe('2026-01-01T00:00:05.000Z')
  })

  it('changes nothing by what the row knows already', () => {
    const row = { ...RUN, last_event: 3, status: 'running' as const }
    const happened = events({ type: 'started' }, step(1, 'started'))
    expect(advance(row, happened)).toBe(row)
    expect(advance(row, []).steps).toEqual([])
    expect(advance(row, events({ type: 'started' }, step(1, 'started'), step(1, 'skipped'))).steps).toHaveLength(1)
  })

  it('knows steps that were not executed', () => {
    const run = advance(RUN, events(step(2, 'skipped'), step(1, 'restored')))
    expect(run.steps.map(({ n, status, first_line, last_line }) => [n, status, first_line, last_line])).toEqual([
      [1, 'restored', 1, 0],
      [2, 'skipped', 1, 0],
    ])
  })
})
