import {
  mdiAlertCircle,
  mdiAlertDecagram,
  mdiCancel,
  mdiCheckCircle,
  mdiClockAlert,
  mdiCloseCircle,
  mdiHelpCircle,
  mdiLock,
  mdiProgressClock,
  mdiShieldOff,
  mdiSync,
  mdiTestTube,
  mdiTestTubeOff,
} from '@mdi/js'
import type { RunStatus } from '@/api/runs'

export interface StatusLook {
  label: string
  icon: string
  color: string
  /** What the status means, for tooltips. */
  meaning: string
}

/** Label, icon and meaning of each status; labels match the engine's. */
export const STATUS: Record<RunStatus, StatusLook> = {
  queued: look('Queued', mdiProgressClock, 'neutral', 'Waiting for a worker slot.'),
  waiting: look('Waiting', mdiLock, 'warning', 'Waiting for a lock that another run holds.'),
  running: look('Running', mdiSync, 'info', 'Running on a worker.'),
  succeeded: look('Succeeded', mdiCheckCircle, 'success', 'Completed successfully.'),
  failed: look('Failed', mdiCloseCircle, 'error', 'The script failed or could not be started.'),
  timed_out: look('Timed out', mdiClockAlert, 'error', 'Exceeded the time limit.'),
  cancelled: look('Cancelled', mdiCancel, 'neutral', 'Cancelled by a user.'),
  interrupted: look('Interrupted', mdiAlertCircle, 'warning', 'The server shut down before the run finished.'),
  lost: look('Lost', mdiHelpCircle, 'error', 'The worker died; the outcome is unknown.'),
  refused: look('Refused', mdiShieldOff, 'error', 'Required claims not met.'),
  invalid: look('Invalid', mdiAlertDecagram, 'error', 'The runbook or the request is not valid.'),
}

/** The code of the warning that a dry run executed nothing, because the runbook doesn't support dry runs. */
export const NOT_DRY = 'no_dry_run'
export const NOT_DRY_TEXT = 'this runbook does not support dry runs'

const DRY = look('Dry run', mdiTestTube, 'info', 'A dry run that ended without an error.')
const DRY_COMPLETED = look('Dry run completed', mdiTestTube, 'info', 'The script was executed as a dry run.')
const NOT_EXECUTED = look('Not executed', mdiTestTubeOff, 'neutral', `Nothing was executed: ${NOT_DRY_TEXT}.`)

/** A run, or what is known of one. */
export interface Seen {
  status: RunStatus
  dry_run?: boolean
  /** Its errors and warnings, if known. */
  problems?: readonly { code: string }[]
  /** Whether it was a dry run of a runbook that doesn't support dry runs, in a history entry. */
  not_executed?: boolean
}

/** How a run is shown. The status of a dry run says `succeeded` even if nothing was executed. */
export function lookOf({ status, dry_run: isDry, problems, not_executed: isUnsupported }: Seen): StatusLook {
  if (!isDry || status !== 'succeeded') return STATUS[status]
  if (isUnsupported) return NOT_EXECUTED
  if (problems === undefined) return DRY
  return problems.some(({ code }) => code === NOT_DRY) ? NOT_EXECUTED : DRY_COMPLETED
}

/** Whether a dry run ended without executing anything. */
export function isNotExecuted(run: Seen): boolean {
  return lookOf(run) === NOT_EXECUTED
}

const NO_EXIT: readonly RunStatus[] = ['refused', 'invalid', 'interrupted', 'lost']

/** The exit code of the script; null if it left none, although the run has a return code. */
export function exitCodeOf(run: { status: RunStatus; return_code: number | null }): number | null {
  return NO_EXIT.includes(run.status) ? null : run.return_code
}

function look(label: string, icon: string, color: string, meaning: string): StatusLook {
  return { label, icon, color, meaning }
}
