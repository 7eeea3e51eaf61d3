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

function look(label: string, icon: string, color: string, meaning: string): StatusLook {
  return { label, icon, color, meaning }
}
