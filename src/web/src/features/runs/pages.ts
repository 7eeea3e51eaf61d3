/** The fields of a run needed for merging. */
export interface Row {
  id: string
  created_at: string
}

export interface Pages<T> {
  runs: T[]
  /** Cursor of the next page; null on the last page. */
  cursor: string | null
}

/**
 * The refetched newest page, followed by the older pages already shown. If they no longer overlap
 * because there were many new runs, drops the older ones rather than hide a gap.
 */
export function refreshed<T extends Row>(shown: Pages<T>, first: Pages<T>): Pages<T> {
  if (first.cursor === null || shown.runs.length === 0) return first
  const fresh = new Set(first.runs.map((run) => run.id))
  const touches = shown.runs.findLastIndex((run) => fresh.has(run.id))
  if (touches < 0) return first
  const older = shown.runs.slice(touches + 1)
  return older.length ? { runs: [...first.runs, ...older], cursor: shown.cursor } : first
}

/** Appends the next older page. */
export function extended<T extends Row>(shown: Pages<T>, next: Pages<T>): Pages<T> {
  const known = new Set(shown.runs.map((run) => run.id))
  const added = next.runs.filter((run) => !known.has(run.id))
  return { runs: [...shown.runs, ...added], cursor: next.cursor }
}

/** Replaces refetched rows; removes rows that were not found. */
export function refetched<T extends Row>(
  shown: Pages<T>,
  asked: readonly string[],
  found: readonly T[],
): Pages<T> {
  const now = new Map(found.map((run) => [run.id, run]))
  const rows = shown.runs.map((run) => (asked.includes(run.id) ? now.get(run.id) : run))
  return { ...shown, runs: rows.filter((run) => run !== undefined) }
}
