import type { ConnectionChanges, Kind, ValuesSchema } from '@/api/connections'
import type { Field, Values } from '@/shared/inputs/field'
import { fieldsOf } from '@/shared/inputs/fields'
import { inputOf, textOrNull } from '@/shared/inputs/parts/property'

/** The fields of a kind, for the same controls as those of a runbook's inputs. */
export function fieldsOfKind({ properties, required }: ValuesSchema): Field[] {
  const inputs = Object.entries(properties).map(([name, property]) => inputOf(name, property, required.includes(name)))
  // Empty means not given.
  return fieldsOf(inputs, properties, []).map((field) => ({ ...field, emptyText: 'never' }))
}

/** A connection's values as text; the defaults of those that are not set. */
export function startOf(fields: readonly Field[], values: Record<string, unknown> = {}): Values {
  return Object.fromEntries(fields.map(({ name, default: standard }) => [name, textOrNull(values[name]) ?? standard ?? '']))
}

/** Only what differs, so that a change made elsewhere meanwhile stays; null removes a value. */
export function changedValues(before: Values, now: Values, removed: Iterable<string> = []): NonNullable<ConnectionChanges['values']> {
  const changed = Object.entries(now).filter(([name, text]) => text !== (before[name] ?? ''))
  return {
    ...Object.fromEntries(changed.map(([name, text]) => [name, text || null])),
    ...Object.fromEntries([...removed].map((name) => [name, null])),
  }
}

/** The groups of fields of which one is needed, by their labels: `Token ID and Token secret, or User and Password`. */
export function alternativesText({ schema }: Pick<Kind, 'schema'>): string {
  const groups = (schema.anyOf ?? []).map(({ required }) =>
    required.map((name) => schema.properties[name]?.title ?? name).join(' and '),
  )
  return groups.join(', or ')
}

export interface Missing {
  /** The field to fill in next. */
  name: string
  message: string
}

/** What is missing of the alternatives: of the one that was begun, if any. */
export function missingOf(kind: Pick<Kind, 'schema'>, isGiven: (name: string) => boolean): Missing | null {
  const groups = (kind.schema.anyOf ?? []).map(({ required }) => required)
  if (!groups.length || groups.some((group) => group.every(isGiven))) return null
  const count = (group: string[]) => group.filter(isGiven).length
  const begun = groups.reduce((best, group) => (count(group) > count(best) ? group : best))
  const name = begun.find((one) => !isGiven(one)) ?? ''
  return { name, message: `Fill in ${alternativesText(kind)}` }
}
