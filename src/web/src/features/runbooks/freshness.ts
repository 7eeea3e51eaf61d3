import type { ListedRunbook } from '@/api/runbooks'

const FRESH_DAYS = 30
const DAY_MS = 86_400_000

export interface Freshness {
  text: string
  /** When it succeeded last, where that says more than the last run does. */
  successAt: string | null
  isDoubtful: boolean
}

/**
 * How much is known of whether a runbook works now, where its last run does not say so itself;
 * null also for one whose runs are not shown.
 */
export function freshnessOf(runbook: ListedRunbook, now: number): Freshness | null {
  const last = runbook.last_run
  if (!last) return runbook.executable ? { text: 'Never run', successAt: null, isDoubtful: false } : null
  const successAt = last.last_success_at
  if (!successAt) return { text: 'Never succeeded', successAt: null, isDoubtful: true }
  const days = Math.floor((now - Date.parse(successAt)) / DAY_MS)
  if (days >= FRESH_DAYS) return { text: `No success for ${days} days`, successAt, isDoubtful: true }
  return last.status === 'succeeded' ? null : { text: 'Last success', successAt, isDoubtful: false }
}
