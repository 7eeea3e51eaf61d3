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

/** Every status with its look; the words are the engine's. */
export const STATUS: Record<RunStatus, StatusLook> = {
  queued: look('Queued', mdiProgressClock, 'neutral', 'Waits for a slot of a worker.'),
  waiting: look('Waiting', mdiLock, 'warning', 'Waits for a lock that another run holds.'),
  running: look('Running', mdiSync, 'info', 'A worker executes it.'),
  succeeded: look('Succeeded', mdiCheckCircle, 'success', 'The script ended well.'),
  failed: look('Failed', mdiCloseCircle, 'error', 'The script failed or could not be started.'),
  timed_out: look('Timed out', mdiClockAlert, 'error', 'It ran longer than it may.'),
  cancelled: look('Cancelled', mdiCancel, 'neutral', 'Someone asked for its end.'),
  interrupted: look('Interrupted', mdiAlertCircle, 'warning', 'Its engine was stopped first.'),
  lost: look('Lost', mdiHelpCircle, 'error', 'Its worker died; what it did is not known.'),
  refused: look('Refused', mdiShieldOff, 'error', 'The claims did not allow it.'),
  invalid: look('Invalid', mdiAlertDecagram, 'error', 'The runbook or the request was not valid.'),
}

function look(label: string, icon: string, color: string, meaning: string): StatusLook {
  return { label, icon, color, meaning }
}
