import { expect, it } from 'vitest'
import type { WholeRun } from '@/api/runs'
import type { StepRun } from '../log/layout/rows'
import { outcomeOf, reasonOf, recoveryOf } from './outcome'
import { currentPhase, phasesOf } from './phases'

const step = (n: number, status: StepRun['status']) => ({ n, name: `Step ${n}`, status }) as StepRun

it('shows steps that ran, and those that are left', () => {
  const phases = phasesOf([step(1, 'succeeded'), step(2, 'skipped'), step(3, 'running')], ['4 Clean up', '5 Tell'])
  expect(phases.map(({ state }) => state)).toEqual(['done', 'skipped', 'running', 'open', 'open'])
  expect(phases[3]).toEqual({ n: 4, name: 'Clean up', state: 'open' })
  expect(currentPhase(phases)?.n).toBe(3)
})

it('names the step that ended the run, or the last one', () => {
  const current = (...states: StepRun['status'][]) => currentPhase(phasesOf(states.map((one, at) => step(at + 1, one)), ['9 Rest']))?.n
  expect(current('succeeded', 'failed')).toBe(2)
  expect(current('succeeded', 'cancelled')).toBe(2)
  expect(current('succeeded', 'succeeded')).toBe(2)
})

it('is only for a number of steps that can be seen at a glance', () => {
  expect(phasesOf([step(1, 'succeeded'), step(2, 'succeeded')], [])).toEqual([])
  expect(phasesOf(Array.from({ length: 17 }, (_, at) => step(at, 'succeeded')), [])).toEqual([])
})

it('reads how a change ended once the run has ended', () => {
  const of = (outputs: Record<string, unknown>, active = false) => outcomeOf({ active, outputs })?.label
  expect(of({ outcome: 'reverted' })).toBe('Reverted')
  expect(of({ OUTCOME: 'unknown' })).toBe('Unknown')
  expect(of({ outcome: 'reverted' }, true)).toBeUndefined()
  expect([of({}), of({ outcome: 'none' }), of({ outcome: ['x'] })]).toEqual([undefined, undefined, undefined])
  const reason = (outputs: Record<string, unknown>) => reasonOf({ outputs })
  expect([reason({ reason: 'cut_off' }), reason({}), reason({ outcome: 'committed', reason: 'committed' })]).toEqual(['cut_off', '', ''])
})

it('says who finds out what is unknown', () => {
  const run = { active: false, outputs: { outcome: 'unknown' }, followers: [], problems: [] } as unknown as WholeRun
  const by = (status: string, active = false) => ({ relation: 'recovery', status, active, id: status }) as WholeRun['followers'][number]
  expect(recoveryOf(run)?.run).toBeNull()
  expect(recoveryOf({ ...run, outputs: { outcome: 'reverted' } })).toBeNull()
  const told = [by('failed'), by('running', true), by('succeeded')].map((one) => recoveryOf({ ...run, followers: [one] }))
  expect(new Set(told.map((one) => one?.text)).size).toBe(3)
  expect(recoveryOf({ ...run, followers: [by('failed'), by('succeeded')] })?.run?.id).toBe('succeeded')
})
