import { mdiCheckDecagram, mdiHelpRhombus, mdiShieldOff, mdiUndoVariant } from '@mdi/js'
import type { WholeRun } from '@/api/runs'

export interface OutcomeLook {
  label: string
  icon: string
  color: string
  meaning: string
}

/** How a change ended, as its runbook says in the output `outcome`. */
const LOOKS: Record<string, OutcomeLook> = {
  committed: { label: 'Committed', icon: mdiCheckDecagram, color: 'success', meaning: 'The change was made, and it stays.' },
  reverted: { label: 'Reverted', icon: mdiUndoVariant, color: 'warning', meaning: 'Everything is as it was before the change.' },
  refused: { label: 'Refused', icon: mdiShieldOff, color: 'warning', meaning: 'Nothing was changed.' },
  unknown: { label: 'Unknown', icon: mdiHelpRhombus, color: 'error', meaning: 'Nobody can tell yet whether the change was made.' },
}

/** Null while the run goes on, and for runbooks that say nothing of the kind. */
export function outcomeOf({ active, outputs }: Pick<WholeRun, 'active' | 'outputs'>): OutcomeLook | null {
  const said = outputs.outcome ?? outputs.OUTCOME
  return active || typeof said !== 'string' ? null : (LOOKS[said] ?? null)
}

export interface Recovery {
  text: string
  /** Null if there was none yet. */
  run: WholeRun['followers'][number] | null
}

/** What is done about an unknown outcome: the latest recovery of the run. Null for other outcomes. */
export function recoveryOf({ active, outputs, followers, problems }: Pick<WholeRun, 'active' | 'outputs' | 'followers' | 'problems'>): Recovery | null {
  if (active || (outputs.outcome ?? outputs.OUTCOME) !== 'unknown') return null
  const run = followers.findLast(({ relation }) => relation === 'recovery') ?? null
  if (run) return { text: run.active ? 'This run finds out:' : run.status === 'succeeded' ? 'This run found out:' : 'This run couldn’t find out:', run }
  return { text: problems.some(({ code }) => code === 'recovery_planned') ? 'A recovery follows.' : 'Look at the device now.', run }
}

/** Why it ended like that, in a word of the runbook; empty if that says nothing more. */
export function reasonOf({ outputs }: Pick<WholeRun, 'outputs'>): string {
  const said = outputs.reason ?? outputs.REASON
  return typeof said === 'string' && said !== (outputs.outcome ?? outputs.OUTCOME) ? said : ''
}
