import { mdiPlay, mdiReplay, mdiStepForward, mdiUndoVariant } from '@mdi/js'
import type { RerunKind, WholeRun } from '@/api/runs'
import { executeLink } from '@/shared/links'
import { offeredReruns } from './rerun/rerun'

/** What can be done with a finished run. */
export interface Action {
  text: string
  icon: string
  /** The dialog that it opens; null if it leads to a page. */
  rerun: RerunKind | null
  /** The page; none if the run can't be executed now. */
  to?: string
  isDisabled: boolean
}

const RERUNS: Record<RerunKind, Pick<Action, 'text' | 'icon'>> = {
  resume: { text: 'Resume', icon: mdiStepForward },
  retry: { text: 'Retry', icon: mdiReplay },
  undo: { text: 'Undo', icon: mdiUndoVariant },
}

/**
 * The actions on a finished run, the most likely first: two are shown as buttons, the rest in a
 * menu. `canExecute`: whether the user may execute the runbook as it is now.
 */
export function actionsOn(run: WholeRun, canExecute: boolean): Action[] {
  const reruns = offeredReruns(run).map((kind): Action => {
    return { ...RERUNS[kind], rerun: kind, isDisabled: !canExecute || !run.available_actions.includes(kind) }
  })
  // Prefills the form with this run's values; a run that never started has none.
  const values = Object.keys(run.inputs).length ? { from: run.id } : undefined
  const leading = (text: string, query: Record<string, string>): Action => {
    const to = canExecute ? executeLink(run.runbook, { ...values, ...query }) : undefined
    return { text, icon: mdiPlay, rerun: null, to, isDisabled: !canExecute }
  }
  const again = leading('Execute again', run.dry_run ? { dry_run: 'true' } : {})
  if (run.dry_run && run.success && canExecute) return [leading('Execute for real', {}), again, ...reruns]
  const [first, ...others] = reruns
  return first && !run.success && first.rerun !== 'undo' ? [first, again, ...others] : [again, ...reruns]
}

/** How many of the actions are buttons: an undo is never one. */
export function shownCount(actions: readonly Action[]): number {
  return actions[1] && actions[1].rerun !== null ? 1 : Math.min(2, actions.length)
}
