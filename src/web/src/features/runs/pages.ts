/** What merging needs of a run. */
export interface Row {
  id: string
  created_at: string
}

export interface Pages<T> {
  runs: T[]
  /** Where the next page begins; null where there is none. */
  cursor: string | null
}

/**
 * The newest page, fetched again, before the older ones that are shown already. Where both do
 * not touch any more, because much has happened meanwhile, the older ones are left out: a gap
 * that nobody sees would be a lie.
 */
export function refreshed<T extends Row>(shown: Pages<T>, first: Pages<T>): Pages<T> {
  if (first.cursor === null || shown.runs.length === 0) return first
  const fresh = new Set(first.runs.map((run) => run.id))
  const touches = shown.runs.findLastIndex((run) => fresh.has(run.id))
  if (touches < 0) return first
  const older = shown.runs.slice(touches + 1)
  return older.length ? { runs: [...first.runs, ...older], cursor: shown.cursor } : first
}

/** The next older page behind what is shown. */
export function extended<T extends Row>(shown: Pages<T>, next: Pages<T>): Pages<T> {
  const known = new Set(shown.runs.map((run) => run.id))
  const added = next.runs.filter((run) => !known.has(run.id))
  return { runs: [...shown.runs, ...added], cursor: next.cursor }
}

/** What is shown with some rows asked for again: those that were not found are left out. */
export function renewed<T extends Row>(
  shown: Pages<T>,
  asked: readonly string[],
  found: readonly T[],
): Pages<T> {
  const now = new Map(found.map((run) => [run.id, run]))
  const rows = shown.runs.map((run) => (asked.includes(run.id) ? now.get(run.id) : run))
  return { ...shown, runs: rows.filter((run) => run !== undefined) }
}
