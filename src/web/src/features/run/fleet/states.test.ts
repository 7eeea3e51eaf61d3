import { describe, expect, it } from 'vitest'
import type { Fanout, FanoutDevice } from '@/api/fanouts'
import { countsOf, lastedText, leftText, lookOfState, pauseOf, phaseOf, stopsOf } from './states'

const counts = { pending: 1, running: 2, succeeded: 3, failed: 4, skipped: 5 }
const fanout = (given: Partial<Fanout> = {}) =>
  ({ counts, paused: false, finished_at: null, stopped: null, ...given }) as Fanout

describe('the devices of a run', () => {
  it('are counted over all fan-outs', () => {
    expect(countsOf([fanout(), fanout()])).toEqual({
      pending: 2, running: 4, succeeded: 6, failed: 8, skipped: 10,
    })
  })

  it('are not started once the run has ended', () => {
    expect(lookOfState('pending', true).label).toBe('Pending')
    expect(lookOfState('pending', false).label).toBe('Not started')
  })

  it('are left to a retry of a run that did not end well', () => {
    expect(leftText('cancelled', counts)).toContain('10')
    expect([leftText('running', counts), leftText('succeeded', counts), leftText('failed', { ...counts, pending: 0, failed: 0, skipped: 0 })]).toEqual(['', '', ''])
  })

  it('can be paused while the run goes on', () => {
    expect(pauseOf([fanout()], true)).toBe('going on')
    expect(pauseOf([fanout({ paused: true })], true)).toBe('paused')
    expect(pauseOf([fanout({ finished_at: '2026-01-31T08:00:00Z' })], true)).toBe(null)
    expect(pauseOf([fanout()], false)).toBe(null)
  })

  it('say why some were left out, and how far they came', () => {
    expect(stopsOf([fanout(), fanout({ stopped: 'canary' })])).toHaveLength(1)
    const device = (given: object) => ({ state: 'running', percent: 40.4, phase: 'Reading', ...given }) as FanoutDevice
    expect(phaseOf(device({}))).toBe('40% Reading')
    expect(phaseOf(device({ state: 'failed' }))).toBe('Reading')
    expect(phaseOf(device({ percent: null, phase: null }))).toBe('')
  })

  it('say how long they take so far', () => {
    const now = Date.parse('2026-01-31T08:00:09.900Z')
    const of = (given: object) => lastedText({ state: 'running', started_at: '2026-01-31T08:00:00Z', duration_ms: null, ...given } as FanoutDevice, now)
    expect([of({}), of({ started_at: null }), of({ state: 'failed', duration_ms: 340 }), of({ state: 'failed' })]).toEqual(['9 s', '', '340 ms', ''])
  })
})
