import type { Condition } from '@/api/runbooks'
import type { Field } from '../field'

/** The values that conditions compare, by name; null if only the server knows it. */
export type Scope = ReadonlyMap<string, string | null>

interface Shown {
  shown: Field[]
  scope: Scope
}

/**
 * The fields that show, in order, and all values after them. `textOf` is what was entered: a field left
 * empty has its default, and a hidden one has no value. A field hides the input of its name in `outer`.
 */
export function shownOf(fields: readonly Field[], textOf: (field: Field) => string, outer?: Scope): Shown {
  const scope = new Map(outer)
  for (const { name } of fields) scope.delete(name)
  const shown = fields.filter((field) => {
    if (!field.conditions.every((condition) => holds(condition, scope))) return false
    const text = textOf(field) || field.default
    scope.set(field.name, text ?? (field.supplied ? null : ''))
    return true
  })
  return { shown, scope }
}

/** Shows what depends on a value that only the server knows: otherwise it could not be entered. */
function holds({ input, operator, value }: Condition, scope: Scope): boolean {
  const given = scope.get(input) ?? (scope.get(input) === null ? null : '')
  return given === null || (operator === '==') === (given === value)
}
