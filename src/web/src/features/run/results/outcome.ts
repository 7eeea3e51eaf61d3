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
  unknown: { label: 'Unknown', icon: mdiHelpRhombus, color: 'error', meaning: 'Nobody can tell if the change was made. Look now.' },
}

/** Null while the run goes on, and for runbooks that say nothing of the kind. */
export function outcomeOf({ active, outputs }: Pick<WholeRun, 'active' | 'outputs'>): OutcomeLook | null {
  const said = outputs.outcome ?? outputs.OUTCOME
  return active || typeof said !== 'string' ? null : (LOOKS[said] ?? null)
}

/** Why it ended like that, in a word of the runbook; empty if that says nothing more. */
export function reasonOf({ outputs }: Pick<WholeRun, 'outputs'>): string {
  const said = outputs.reason ?? outputs.REASON
  return typeof said === 'string' && said !== (outputs.outcome ?? outputs.OUTCOME) ? said : ''
}
