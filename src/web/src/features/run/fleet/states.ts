import { mdiCheckCircle, mdiCloseCircle, mdiDebugStepOver, mdiProgressClock, mdiSync } from '@mdi/js'
import type { DeviceState, Fanout, FanoutDevice } from '@/api/fanouts'
import type { WholeRun } from '@/api/runs'
import { formatDuration, formatLasted } from '@/shared/time/format'

export const STATES: readonly DeviceState[] = ['running', 'failed', 'skipped', 'succeeded', 'pending']

export interface StateLook {
  label: string
  icon: string
  color: string
}

const LOOKS: Record<DeviceState, StateLook> = {
  pending: { label: 'Pending', icon: mdiProgressClock, color: 'neutral' },
  running: { label: 'Running', icon: mdiSync, color: 'info' },
  succeeded: { label: 'Succeeded', icon: mdiCheckCircle, color: 'success' },
  failed: { label: 'Failed', icon: mdiCloseCircle, color: 'error' },
  skipped: { label: 'Skipped', icon: mdiDebugStepOver, color: 'warning' },
}

/** How a state is shown; once the run has ended, pending devices are never started. */
export function lookOfState(state: DeviceState, isActive: boolean): StateLook {
  return state === 'pending' && !isActive ? { ...LOOKS.pending, label: 'Not started' } : LOOKS[state]
}

/** How many devices of all fan-outs are in each state. */
export function countsOf(fanouts: readonly Fanout[]): Record<DeviceState, number> {
  const sum = (state: DeviceState) => fanouts.reduce((n, { counts }) => n + counts[state], 0)
  return {
    pending: sum('pending'), running: sum('running'), succeeded: sum('succeeded'),
    failed: sum('failed'), skipped: sum('skipped'),
  }
}

/** Whether devices can be kept from starting, and whether they are. */
export function pauseOf(fanouts: readonly Fanout[], isActive: boolean): 'paused' | 'going on' | null {
  const open = fanouts.filter(({ finished_at: end }) => end === null)
  if (!isActive || !open.length) return null
  return open.every(({ paused }) => paused) ? 'paused' : 'going on'
}

const STOPS = {
  max_failures: 'Too many devices failed, so no more were started.',
  canary: 'A canary failed, so no more devices were started.',
} as const

/** Why devices were left out. */
export function stopsOf(fanouts: readonly Fanout[]): string[] {
  return fanouts.flatMap(({ stopped }) => (stopped ? [STOPS[stopped]] : []))
}

const ENDED_EARLY: readonly WholeRun['status'][] = ['failed', 'timed_out', 'cancelled', 'interrupted', 'lost']

/** What a retry would do, of a run that has not dealt with all of its devices. */
export function leftText(status: WholeRun['status'], counts: Record<DeviceState, number>): string {
  const left = counts.failed + counts.skipped + counts.pending
  if (!left || !ENDED_EARLY.includes(status)) return ''
  return left === 1 ? 'A retry continues with the device that hasn’t succeeded.' : `A retry continues with the ${left} devices that haven’t succeeded.`
}

/** How long the run for a device took, or has taken so far; empty if it has not started. */
export function lastedText({ state, started_at: since, duration_ms: ms }: FanoutDevice, now: number): string {
  if (ms !== null) return formatDuration(ms)
  return state === 'running' && since !== null ? formatLasted(since, now) : ''
}

/** What is said of a device besides its state. */
export function phaseOf({ phase, percent, state }: FanoutDevice): string {
  const isOver = state !== 'running' || percent === null
  return [isOver ? '' : `${Math.round(percent)}%`, phase ?? ''].filter(Boolean).join(' ')
}
