import { describe, expect, it } from 'vitest'
import type { WholeRun } from '@/api/runs'
import { causeOf, signalOf } from './cause'

const run = (more: object) =>
  ({
    status: 'failed', return_code: null, cancel_requested_by: null, dry_run: false, steps: [], log_lines: 0, problems: [],
    started_at: '2026-01-01T00:00:00Z', timeout_seconds: 90, ...more,
  }) as unknown as WholeRun

describe('causeOf', () => {
  it.each([
    [{ return_code: 4 }, 'The script failed with exit code 4.'],
    [{ return_code: 1, log_lines: 3 }, 'The script failed with exit code 1.'],
    [{ return_code: 1 }, 'The script failed or could not be started.'],
    [{ return_code: -11 }, 'The script was killed by SIGSEGV.'],
    [{ status: 'timed_out', return_code: -9 }, 'Killed after exceeding the time limit of 1 min 30 s.'],
    [{ status: 'cancelled', cancel_requested_by: 'ann', return_code: -2 }, 'Cancelled by ann.'],
    [
      { status: 'cancelled', cancel_requested_by: 'ann', started_at: null, return_code: -2 },
      'Cancelled by ann before it started.',
    ],
    [{ status: 'running', active: true, cancel_requested_by: 'ann' }, 'ann requested cancellation.'],
    [{ status: 'succeeded', return_code: 0 }, 'Completed successfully.'],
    [{ status: 'succeeded', dry_run: true }, 'The script was executed as a dry run.'],
    [
      { status: 'succeeded', dry_run: true, problems: [{ code: 'no_dry_run' }] },
      'Only claims and inputs were checked.',
    ],
  ])('of %o', (more, text) => {
    expect(causeOf(run(more))).toBe(text)
  })
})

it('names signals', () => {
  expect(signalOf(run({ return_code: -15 }))).toBe('SIGTERM')
  expect(signalOf(run({ return_code: -64 }))).toBe('signal 64')
  expect(signalOf(run({ return_code: 2 }))).toBeNull()
  expect(signalOf(run({ return_code: -1, status: 'lost' }))).toBeNull()
})
