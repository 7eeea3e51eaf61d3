import type { Problem, Runbook } from '@/api/runbooks'
import type { RerunKind, WholeRun } from '@/api/runs'
import type { Field, Given, Values } from '@/shared/inputs/field'
import { isStored } from '@/shared/inputs/list/rows'

/** The stored value of an input; null if it was not stored, undefined if it was not set. */
function keptValue(run: WholeRun, name: string): string | null | undefined {
  const input = run.inputs[name]
  if (input === undefined) return undefined
  return typeof input.value === 'string' ? input.value : null
}

/**
 * The input fields of a rerun; an undo only needs values that were not stored.
 * `asked` names the values that the server asked for again.
 */
export function rerunFields(
  run: WholeRun,
  declared: readonly Field[],
  kind: RerunKind,
  asked: readonly string[],
): Field[] {
  const isDeclared = (name: string) => declared.some((field) => field.name === name)
  const own = declared.filter(
    ({ name }) => kind !== 'undo' || keptValue(run, name) === null || asked.includes(name),
  )
  return [
    ...own.map((field) => rerunField(run, field, asked.includes(field.name))),
    ...asked.filter((name) => !isDeclared(name)).map(handedOver),
  ]
}

function rerunField(run: WholeRun, field: Field, isAsked: boolean): Field {
  const kept = keptValue(run, field.name)
  if (kept === null || isAsked) {
    const isElsewhere = field.supplied || field.hasDefault
    return {
      ...field,
      required: isAsked || !isElsewhere,
      note: isElsewhere && !isAsked ? 'Not stored. Enter it again if the original run set it.' : 'Not stored. Enter it again.',
    }
  }
  // The new run inherits stored values, so a field cannot be left unset.
  return { ...field, emptyText: kept !== undefined && field.emptyText === 'asked' ? 'always' : field.emptyText }
}

/** A value that a completed step passed on and that contained a secret. */
function handedOver(name: string): Field {
  return {
    name, type: 'secret', typed: true, label: '', description: 'Passed on by a completed step.', group: '',
    required: true, optional: false, supplied: false, source: '', default: null, hasDefault: false, example: null,
    choices: [], choicesFrom: null, live: null, kind: null, devices: null, conditions: [], columns: [], fewest: 0, most: 0, min: null, max: null, pattern: null, basePattern: undefined,
    ownPattern: undefined, note: 'Not stored. Enter it again.', emptyText: 'never', kept: false,
  }
}

/** Initial values: stored ones, or the defaults of a new run. */
export function keptStart(run: WholeRun, fields: readonly Field[]): Values {
  return Object.fromEntries(
    fields.map(({ name, default: standard }) => {
      const kept = keptValue(run, name)
      return [name, (kept === undefined ? standard : kept) ?? '']
    }),
  )
}

/** The values that must be entered again, according to the problems. */
export function inputsNotKept(problems: readonly Problem[]): string[] {
  return problems.flatMap(({ code, params }) => (code === 'value_not_kept' ? String(params.variable) : []))
}

/** Only values that differ from the stored ones; an empty value clears a stored one. */
export function changedValues(run: WholeRun, fields: readonly Field[], sent: Given): Given {
  const changed = fields.flatMap((field): [string, Given[string]][] => {
    const { name } = field
    const kept = keptValue(run, name)
    const value = sent[name] ?? (typeof kept === 'string' ? '' : undefined)
    const isSame = Array.isArray(value) ? isStored(field, value, kept ?? '') : value === kept
    return value === undefined || isSame ? [] : [[name, value]]
  })
  return Object.fromEntries(changed)
}

/** All values of the new run without cleared ones, to validate before it is created. */
export function wholeValues(run: WholeRun, declared: readonly Field[], changed: Given): Given {
  const whole: Given = {}
  for (const { name, emptyText } of declared) {
    const value = changed[name] ?? keptValue(run, name) ?? undefined
    if (value || (value === '' && emptyText !== 'never')) whole[name] = value
  }
  return whole
}

export interface StepChoice {
  n: number
  name: string
  /** Whether it is completed and would be executed again. */
  isDone: boolean
}

/** The steps that a run can be resumed from; the last one is the default. */
export function resumeSteps(run: WholeRun, runbook: Runbook): StepChoice[] {
  const point = run.resume_from ?? runbook.steps.length
  return runbook.steps.slice(0, point).map((step, at) => ({
    n: at + 1,
    name: run.steps.find((one) => one.n === at + 1)?.name ?? step.name,
    isDone: at + 1 < point,
  }))
}

/** The step's name in the request: its number, unless another step has that as its name. */
export function stepWord({ n, name }: StepChoice, steps: readonly StepChoice[]): string {
  return steps.some((step) => step.name === String(n)) ? name : String(n)
}

const RERUNS: readonly RerunKind[] = ['resume', 'retry', 'undo']

/** Codes for reruns that the state of the run allows, but that this caller can't start. */
const NOT_YOURS: readonly string[] = ['access_denied', 'not_found']

/** The reruns that the state of a run allows, regardless of permissions. */
export function offeredReruns(run: WholeRun): RerunKind[] {
  const others = run.unavailable_actions.filter(({ problem }) => NOT_YOURS.includes(problem.code))
  const offered = [...run.available_actions, ...others.map(({ action }) => action)]
  return RERUNS.filter((kind) => offered.includes(kind))
}
