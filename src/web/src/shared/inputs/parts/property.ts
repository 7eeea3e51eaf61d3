import type { InputItem, InputProperty } from '@/api/runbooks'

/** A property of a JSON Schema of the server, or of a form of ours. */
export type Property = InputProperty & { title?: string; writeOnly?: boolean }

/** What is left to say of a field that isn't a kind's. */
const PLAIN = {
  from: null,
  label: null,
  description: '',
  typed: true,
  default: null,
  optional: false,
  sensitive: false,
  choices: [],
  choices_from: null,
  live_choices: null,
  show_if: [],
  pattern: null,
  min: null,
  max: null,
  group: null,
  example: null,
  kind: null,
  vendor: null,
  tag: null,
  line: 0,
  items: [],
} satisfies Partial<InputItem>

export function inputOf(name: string, property: Property, isRequired: boolean): InputItem {
  const type = property['x-type']
  const least = property.minimum ?? (property.minLength === 1 ? undefined : property.minLength)
  return {
    ...PLAIN,
    name,
    type,
    label: property.title ?? null,
    description: property.description ?? '',
    default: textOrNull(property.default),
    optional: !isRequired && property.default === undefined,
    sensitive: property.writeOnly === true,
    pattern: declaredPattern(property),
    min: textOrNull(least),
    max: textOrNull(property.maximum ?? property.maxLength),
    example: textOrNull(property.examples?.[0]),
  }
}

/** Of the two patterns that a schema can have, the one that the kind declares. */
function declaredPattern({ pattern, allOf }: Property): string | null {
  if (pattern === undefined || !allOf) return null
  return pattern.replace(/^\^\(\?:(.*)\)\$$/s, '$1')
}

export function textOrNull(value: unknown): string | null {
  if (value === undefined || value === null) return null
  return typeof value === 'string' ? value : JSON.stringify(value)
}
