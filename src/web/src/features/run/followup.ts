import type { InputItem, Runbook } from '@/api/runbooks'
import type { FollowUp, WholeRun } from '@/api/runs'

const SECRET_NAME = /pass|secret|token|key|credential/i
const NOT_KEPT = /The value of (\S+) was not kept/

export interface Field {
  name: string
  description: string
  /** What the earlier run was given; null where that was not kept. */
  kept: string | null
  isSecret: boolean
  isNeeded: boolean
}

function keptValue(run: WholeRun, name: string): string | null | undefined {
  const input = run.inputs[name]
  if (input === undefined) return undefined
  return typeof input.value === 'string' ? input.value : null
}

/** What can be given again: for an undo only what was not kept. */
export function fieldsOf(run: WholeRun, inputs: readonly InputItem[], kind: FollowUp): Field[] {
  return inputs
    .filter((input) => input.type !== 'file')
    .map((input) => {
      const kept = keptValue(run, input.name)
      return {
        name: input.name,
        description: input.description,
        kept: kept === undefined ? (input.default ?? '') : kept,
        isSecret: input.type === 'secret' || (!input.typed && SECRET_NAME.test(input.name)),
        isNeeded: kept === null && input.from === null,
      }
    })
    .filter((field) => kind !== 'undo' || field.kept === null)
}

/** Files cannot be given here: they were not kept either. */
export function filesOf(run: WholeRun, inputs: readonly InputItem[]): string[] {
  return inputs
    .filter((input) => input.type === 'file' && run.inputs[input.name] !== undefined)
    .map((input) => input.name)
}

/** The values that errors say are to be given again. */
export function namesNotKept(errors: readonly string[]): string[] {
  return errors.flatMap((text) => NOT_KEPT.exec(text)?.[1] ?? [])
}

/** Only what differs from what was kept. */
export function changedValues(fields: readonly Field[], values: Record<string, string>) {
  return Object.fromEntries(
    fields
      .filter((field) => (values[field.name] ?? '') !== (field.kept ?? ''))
      .map((field) => [field.name, values[field.name] ?? '']),
  )
}

/** The text that the policy wants to be typed, with the values in it. */
export function confirmText(
  run: WholeRun,
  runbook: Runbook,
  values: Record<string, string>,
): string | null {
  const wanted = runbook.policy?.confirm
  if (!wanted || run.dry_run) return null
  return wanted.replace(/\$\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole)
}

/** What may follow from a run; the server has the last word. */
export function followUps(run: WholeRun, runbook: Runbook | undefined): FollowUp[] {
  if (run.status === 'refused' || run.status === 'invalid' || run.relation === 'undo') return []
  const found: FollowUp[] = []
  if (run.steps.length && !run.success) found.push('resume')
  found.push('retry')
  const isDone = run.steps.length
    ? run.steps.some((step) => step.status === 'succeeded' || step.status === 'restored')
    : run.success
  if (isDone && !run.dry_run && runbook?.steps.some((step) => step.reversible)) found.push('undo')
  return found
}
