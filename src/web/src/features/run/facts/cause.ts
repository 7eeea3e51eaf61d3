import type { WholeRun } from '@/api/runs'
import { exitCodeOf, isNotExecuted, lookOf, STATUS } from '@/shared/status'
import { spanText } from '@/shared/time/format'

const SIGNALS: Record<number, string> = {
  1: 'SIGHUP', 2: 'SIGINT', 3: 'SIGQUIT', 6: 'SIGABRT', 8: 'SIGFPE', 9: 'SIGKILL', 11: 'SIGSEGV',
  13: 'SIGPIPE', 14: 'SIGALRM', 15: 'SIGTERM',
}

/** Statuses with a banner of their own, which tells the cause. */
const WITH_BANNER: readonly WholeRun['status'][] = ['failed', 'timed_out', 'interrupted', 'lost']
export const hasBanner = (run: Pick<WholeRun, 'status'>) => WITH_BANNER.includes(run.status)

/** The signal for a negative exit code. */
export function signalOf(run: Pick<WholeRun, 'status' | 'return_code'>): string | null {
  const code = exitCodeOf(run)
  if (code === null || code >= 0) return null
  return SIGNALS[-code] ?? `signal ${-code}`
}

/** One sentence that explains the status of a run. */
export function causeOf(run: WholeRun): string {
  const by = run.cancel_requested_by
  if (by !== null && run.active) return `${by} requested cancellation.`
  switch (run.status) {
    case 'succeeded':
      return isNotExecuted(run) ? 'Only claims and inputs were checked.' : lookOf(run).meaning
    case 'failed':
      return failure(run)
    case 'timed_out':
      return run.timeout_seconds
        ? `Killed after exceeding the time limit of ${spanText(run.timeout_seconds)}.`
        : STATUS.timed_out.meaning
    case 'cancelled':
      if (by === null) return STATUS.cancelled.meaning
      return run.started_at === null ? `Cancelled by ${by} before it started.` : `Cancelled by ${by}.`
    default:
      return STATUS[run.status].meaning
  }
}

function failure(run: WholeRun): string {
  const signal = signalOf(run)
  if (signal) return `The script was killed by ${signal}.`
  const isExecuted = run.steps.some((step) => step.return_code !== null) || run.log_lines > 0
  const isScripts = run.return_code !== null && (run.return_code > 1 || isExecuted)
  return isScripts ? `The script failed with exit code ${run.return_code}.` : STATUS.failed.meaning
}
