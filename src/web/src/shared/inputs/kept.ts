import type { Run } from '@/api/runs'
import type { Field, Values } from './field'

type Earlier = Pick<Run, 'inputs'>

/** The values of an earlier run that were kept, as texts. */
export function keptOf(run: Earlier): Values {
  const kept = Object.entries(run.inputs).filter(([, one]) => 'value' in one)
  return Object.fromEntries(kept.map(([name, one]) => [name, String(one.value)]))
}

/** The inputs that an earlier run was given, and that are to be given again. */
export function namesToGive(run: Earlier, fields: readonly Field[]): string[] {
  return fields
    .map((field) => field.name)
    .filter((name) => run.inputs[name] && !('value' in run.inputs[name]))
}
