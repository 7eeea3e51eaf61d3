import type { ListedRunbook } from '@/api/runbooks'

const FRESH_DAYS = 30
const DAY_MS = 86_400_000

export interface Freshness {
  text: string
  /** Time of the last success, if it tells more than the last run. */
  successAt: string | null
  isDoubtful: boolean
}

/**
 * How likely a runbook is to work now, unless its last run already tells; null if the user cannot
 * see its runs.
 */
export function freshnessOf(runbook: ListedRunbook, now: number): Freshness | null {
  const last = runbook.last_run
  if (!last) return runbook.executable ? { text: 'Never run', successAt: null, isDoubtful: false } : null
  const successAt = last.last_success_at
  if (!successAt) return { text: 'Never succeeded', successAt: null, isDoubtful: true }
  const days = Math.floor((now - Date.parse(successAt)) / DAY_MS)
  if (days >= FRESH_DAYS) return { text: `No success in ${days} days`, successAt, isDoubtful: true }
  return last.status === 'succeeded' ? null : { text: 'Last success', successAt, isDoubtful: false }
}
