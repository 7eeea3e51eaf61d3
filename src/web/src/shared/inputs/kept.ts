import type { Run } from '@/api/runs'
import type { Field, Values } from './field'

type Earlier = Pick<Run, 'inputs'>

/** The stored values of an earlier run, as strings. */
export function keptOf(run: Earlier): Values {
  const kept = Object.entries(run.inputs).filter(([, one]) => 'value' in one)
  return Object.fromEntries(kept.map(([name, one]) => [name, String(one.value)]))
}

/** The inputs of an earlier run whose values were not stored, so they must be entered again. */
export function namesToReenter(run: Earlier, fields: readonly Field[]): string[] {
  return fields
    .map((field) => field.name)
    .filter((name) => run.inputs[name] && !('value' in run.inputs[name]))
}
