/** How much the last success says about whether a runbook works now. */
export type Freshness = 'fresh' | 'stale' | 'never'

const FRESH_DAYS = 30
const DAY_MS = 86_400_000

export function freshnessOf(lastSuccess: string | null | undefined, now = Date.now()): Freshness {
  if (!lastSuccess) return 'never'
  return now - new Date(lastSuccess).getTime() <= FRESH_DAYS * DAY_MS ? 'fresh' : 'stale'
}
