import { expect, it } from 'vitest'
import type { RunStatus } from '@/api/runs'
import { exitCodeOf, isNotExecuted, lookOf, STATUS } from './status'

const NOT_DRY = [{ code: 'no_dry_run' }]

it('shows no dry run as a success', () => {
  const dry = { status: 'succeeded', dry_run: true } as const
  const looks = [dry, { ...dry, problems: [] }, { ...dry, problems: NOT_DRY }].map(lookOf)
  expect(new Set(looks.map(({ label }) => label)).size).toBe(3)
  for (const look of looks) expect([look.label, look.color]).not.toContain(STATUS.succeeded.label)
  expect(looks.map(({ color }) => color)).not.toContain('success')
  expect(looks[2]?.color).toBe('neutral')
})

it('knows that nothing was executed by its code', () => {
  expect(isNotExecuted({ status: 'succeeded', dry_run: true, problems: NOT_DRY })).toBe(true)
  expect(isNotExecuted({ status: 'succeeded', dry_run: true, problems: [] })).toBe(false)
  expect(isNotExecuted({ status: 'succeeded', dry_run: true, not_executed: true })).toBe(true)
  expect(isNotExecuted({ status: 'succeeded', dry_run: true, not_executed: false })).toBe(false)
})

it('takes no return code of the engine for an exit code', () => {
  const code = (status: RunStatus, return_code: number) => exitCodeOf({ status, return_code })
  expect([code('failed', 3), code('timed_out', -9), code('succeeded', 0)]).toEqual([3, -9, 0])
  expect([code('lost', -1), code('interrupted', -1), code('refused', 403), code('invalid', 1)]).toEqual([
    null, null, null, null,
  ])
})

it('shows what failed as what it is', () => {
  expect(lookOf({ status: 'failed', dry_run: true, problems: [] })).toBe(STATUS.failed)
  expect(lookOf({ status: 'succeeded', problems: NOT_DRY })).toBe(STATUS.succeeded)
})
