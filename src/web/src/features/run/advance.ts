import type { RunEvent } from '@/api/events'
import type { WholeRun } from '@/api/runs'
import type { StepRun } from './log/layout/rows'

/** An event, and the number of log lines when it arrived. */
export interface Happening {
  event: RunEvent
  lines: number
}

/**
 * Applies events to the fetched run and ignores events that it already includes. What events don't
 * carry (called runs, locks, artifacts, the summary) stays unchanged.
 */
export function advance(run: WholeRun, happened: readonly Happening[]): WholeRun {
  const news = happened.filter(({ event }) => event.n > run.last_event)
  return news.reduce((now, { event, lines }) => {
    const next = { ...now, last_event: event.n, log_lines: Math.max(now.log_lines, lines) }
    if (event.type === 'started') return { ...next, ...started(event) }
    if (event.type === 'step') return { ...next, steps: withStep(now.steps, event, lines) }
    if (event.type === 'done') return { ...next, ...ended(now, event) }
    return next
  }, run)
}

function started(event: RunEvent): Partial<WholeRun> {
  return { status: 'running', active: true, started_at: event.at, waiting: null }
}

/** `done` matches the stored run, which is saved before the event is sent. */
function ended(run: WholeRun, event: RunEvent): Partial<WholeRun> {
  const { status, success, return_code, errors, warnings, problems, outputs } = event as unknown as WholeRun
  const begun = run.started_at === null ? null : Date.parse(run.started_at)
  return {
    status, success, return_code, errors, warnings, problems, outputs,
    active: false,
    waiting: null,
    finished_at: event.at,
    duration_ms: begun === null ? null : Date.parse(event.at) - begun,
  }
}

function withStep(steps: readonly StepRun[], event: RunEvent, lines: number): StepRun[] {
  const n = event.step ?? 0
  const known = steps.find((step) => step.n === n)
  const others = steps.filter((step) => step.n !== n)
  return [...others, stepAfter(known ?? newStep(n, event, lines), event, lines)].sort((a, b) => a.n - b.n)
}

function newStep(n: number, event: RunEvent, lines: number): StepRun {
  return {
    n,
    name: String(event.name),
    status: 'running',
    started_at: event.at,
    finished_at: null,
    return_code: null,
    attempts: 1,
    first_line: lines + 1,
    last_line: lines,
  }
}

function stepAfter(step: StepRun, event: RunEvent, lines: number): StepRun {
  const end = { finished_at: event.at, last_line: Math.max(step.last_line, lines) }
  switch (event.state) {
    case 'retrying':
      return { ...step, attempts: Number(event.attempt) }
    case 'skipped':
    case 'restored':
      return { ...step, ...end, status: event.state }
    case 'ended':
      return {
        ...step, ...end,
        status: event.status as StepRun['status'],
        return_code: event.return_code as number | null,
      }
    default:
      return step
  }
}
