import type { StepRun } from '../log/layout/rows'

export type PhaseState = 'done' | 'running' | 'failed' | 'stopped' | 'skipped' | 'open'

export interface Phase {
  n: number
  name: string
  state: PhaseState
}

const STATES: Partial<Record<StepRun['status'], PhaseState>> = {
  running: 'running', succeeded: 'done', restored: 'done', skipped: 'skipped',
  failed: 'failed', timed_out: 'failed', lost: 'failed',
}

export const STATE_TEXTS: Record<PhaseState, string> = {
  done: 'done', running: 'running', failed: 'failed', stopped: 'stopped', skipped: 'skipped', open: 'not started',
}

/** With fewer steps there is nothing to see, with more no room for them. */
const FEWEST = 3
const MOST = 16

/** The steps of a run as phases, also those that have not started. Empty if they are too few or too many. */
export function phasesOf(steps: readonly StepRun[], pending: readonly string[]): Phase[] {
  const begun = steps.map(({ n, name, status }) => ({ n, name, state: STATES[status] ?? 'stopped' }))
  const open = pending.map((text): Phase => {
    const [number = '', ...words] = text.split(' ')
    return { n: Number(number), name: words.join(' '), state: 'open' }
  })
  const phases = [...begun, ...open]
  return phases.length < FEWEST || phases.length > MOST ? [] : phases
}

/** The phase to name where there is room for one: the one that runs, that ended the run, or the last one. */
export function currentPhase(phases: readonly Phase[]): Phase | undefined {
  return phases.find(({ state }) => ['running', 'failed', 'stopped'].includes(state)) ?? phases.findLast(({ state }) => state !== 'open')
}
