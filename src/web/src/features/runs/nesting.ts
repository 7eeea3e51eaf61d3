import type { Run } from '@/api/runs'
import { counted } from '@/shared/text/numbers'

/** A row of the table: a run, below the run that called it if that is in the list too. */
export interface NestedRun {
  run: Run
  /** 0 for a run whose caller is not in the list. */
  depth: number
  /** The runs in the list that this one called, directly or not. */
  below: Run[]
  isOpen: boolean
}

/** `13 runs and 11 that they called`: called runs are folded below their callers. */
export function listedText(runs: readonly Run[]): string {
  const ids = new Set(runs.map((run) => run.id))
  const called = runs.filter((run) => run.parent_id !== null && ids.has(run.parent_id)).length
  const own = counted(runs.length - called, 'run')
  return called ? `${own} and ${called} that ${runs.length - called === 1 ? 'it' : 'they'} called` : own
}

/** The runs with those that they called below them, oldest first, if they are unfolded. */
export function nested(runs: readonly Run[], open: ReadonlySet<string>): NestedRun[] {
  const ids = new Set(runs.map((run) => run.id))
  const called = new Map<string, Run[]>()
  for (const run of runs) {
    if (run.parent_id !== null && ids.has(run.parent_id)) {
      // The list has the newest first; what a run called is read in the order of the calls.
      called.set(run.parent_id, [run, ...(called.get(run.parent_id) ?? [])])
    }
  }
  const below = (run: Run): Run[] => (called.get(run.id) ?? []).flatMap((one) => [one, ...below(one)])
  const rowsOf = (run: Run, depth: number): NestedRun[] => {
    const isOpen = open.has(run.id)
    const rows = isOpen ? (called.get(run.id) ?? []).flatMap((one) => rowsOf(one, depth + 1)) : []
    return [{ run, depth, below: below(run), isOpen }, ...rows]
  }
  return runs
    .filter((run) => run.parent_id === null || !ids.has(run.parent_id))
    .flatMap((run) => rowsOf(run, 0))
}

/** `3 runs, 1 failed`: the runs below another one. */
export function belowText(below: readonly Run[]): string {
  const failed = below.filter((run) => !run.active && !run.success).length
  const count = counted(below.length, 'run')
  return failed ? `${count}, ${failed} failed` : count
}
