import type { GivenFile, Problem, Runbook } from '@/api/runbooks'
import type { RerunKind, WholeRun } from '@/api/runs'
import type { Field, Given, Values } from '@/shared/inputs/field'

/** What the earlier run was given; null where that was not kept, undefined where there was nothing. */
function keptValue(run: WholeRun, name: string): string | null | undefined {
  const input = run.inputs[name]
  if (input === undefined) return undefined
  return typeof input.value === 'string' ? input.value : null
}

/**
 * The inputs as a rerun of this run takes them: for an undo only what was not kept.
 * `asked` names what the server has said it needs again.
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
      note: isElsewhere && !isAsked ? 'Not kept: give it again if it was typed then.' : 'Not kept: give it again.',
    }
  }
  // The new run takes over what was kept: leaving it out is not to be said.
  return { ...field, emptyText: kept !== undefined && field.emptyText === 'asked' ? 'always' : field.emptyText }
}

/** A value that a completed step handed over, and in which a secret stood. */
function handedOver(name: string): Field {
  return {
    name, type: 'secret', typed: true, description: 'Handed over by a completed step.', group: '',
    required: true, optional: false, supplied: false, source: '', default: null, hasDefault: false, example: null,
    choices: [], choicesFrom: null, min: null, max: null, pattern: null, basePattern: undefined,
    ownPattern: undefined, note: 'Not kept: give it again.', emptyText: 'never', kept: false,
  }
}

/** What the fields begin with: what was kept, else what a new run would begin with. */
export function keptStart(run: WholeRun, fields: readonly Field[]): Values {
  return Object.fromEntries(
    fields.map(({ name, default: standard }) => {
      const kept = keptValue(run, name)
      return [name, (kept === undefined ? standard : kept) ?? '']
    }),
  )
}

/** The values that problems say are to be given again. */
export function inputsNotKept(problems: readonly Problem[]): string[] {
  return problems.flatMap(({ code, params }) => (code === 'value_not_kept' ? String(params.variable) : []))
}

/** Only what differs from what was kept; an empty text takes a kept value back. */
export function changedValues(run: WholeRun, fields: readonly Field[], sent: Given): Given {
  const changed = fields.flatMap(({ name }): [string, string | GivenFile][] => {
    const kept = keptValue(run, name)
    const value = sent[name] ?? (typeof kept === 'string' ? '' : undefined)
    return value === undefined || value === kept ? [] : [[name, value]]
  })
  return Object.fromEntries(changed)
}

/** All that the new run is given, to be checked before it is made; what is taken back is left out. */
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
  /** Whether it would be executed again, although it is done with. */
  isDone: boolean
}

/** The steps that a run can be resumed from; it goes on with the last of them by itself. */
export function resumeSteps(run: WholeRun, runbook: Runbook): StepChoice[] {
  const point = run.resume_from ?? runbook.steps.length
  return runbook.steps.slice(0, point).map((step, at) => ({
    n: at + 1,
    name: run.steps.find((one) => one.n === at + 1)?.name ?? step.name,
    isDone: at + 1 < point,
  }))
}

/** How the request names a step: by its number, unless another one's name is that. */
export function stepWord({ n, name }: StepChoice, steps: readonly StepChoice[]): string {
  return steps.some((step) => step.name === String(n)) ? name : String(n)
}

const RERUNS: readonly RerunKind[] = ['resume', 'retry', 'undo']

/** Why the state of a run allows a rerun, but this caller does not get it. */
const NOT_YOURS: readonly string[] = ['access_denied', 'not_found']

/** How a run may be run again, by this caller or by another one. */
export function offeredReruns(run: WholeRun): RerunKind[] {
  const others = run.unavailable_actions.filter(({ problem }) => NOT_YOURS.includes(problem.code))
  const offered = [...run.available_actions, ...others.map(({ action }) => action)]
  return RERUNS.filter((kind) => offered.includes(kind))
}
