import type { GivenFile, InputItem, InputProperty, Policy, Problem } from '@/api/runbooks'
import { missing } from './check'
import type { Field, Files, Given, Values } from './field'

const TEXTS: readonly Field['type'][] = ['string', 'text', 'secret']
const SECRET_NAME = /pass|secret|token|key|credential/i
export const FILE_LIMIT = 1024 * 1024

/** Whether the value may be kept in this tab: a short-form input may be a secret by its name. */
export function isKept(input: InputItem): boolean {
  if (input.type === 'secret' || input.type === 'file') return false
  return input.typed || !SECRET_NAME.test(input.name)
}

/** Whether the engine takes an empty text as a value; elsewhere it counts as none. */
function takesEmpty(input: InputItem): boolean {
  return !input.typed || (input.optional && TEXTS.includes(input.type))
}

/** Where the server takes a secret from; empty where it has none. */
export function sourceText({ from }: Pick<InputItem, 'from'>): string {
  if (!from) return ''
  return from === 'env' ? "from the server's environment" : 'from a file of the server'
}

/** The fields in the schema's order. */
export function fieldsOf(
  inputs: readonly InputItem[],
  schema: Record<string, InputProperty>,
  supplied: readonly string[],
): Field[] {
  const order = (input: InputItem) => schema[input.name]?.['x-order'] ?? input.line
  return [...inputs]
    .sort((a, b) => order(a) - order(b))
    .map((input) => fieldOf(input, schema[input.name], supplied.includes(input.name)))
}

function fieldOf(input: InputItem, property: InputProperty | undefined, supplied: boolean): Field {
  // The declared pattern stands beside that of the type, unless only Python knows it.
  const own = input.pattern !== null && !property?.['x-pattern'] ? property?.pattern : undefined
  const isSecret = input.type === 'secret'
  return {
    name: input.name,
    type: input.type,
    typed: input.typed,
    description: input.description,
    group: input.group ?? '',
    required: !input.optional && input.default === null && !supplied,
    optional: input.optional,
    supplied: supplied && input.default === null,
    source: sourceText(input),
    default: isSecret ? null : input.default,
    hasDefault: input.default !== null,
    example: isSecret ? null : input.example,
    choices: property?.enum ?? property?.items?.enum ?? input.choices,
    choicesFrom: input.choices_from?.runbook ?? null,
    min: input.min,
    max: input.max,
    pattern: input.pattern,
    basePattern: property?.allOf?.[0]?.pattern ?? (own ? undefined : property?.pattern),
    ownPattern: own,
    note: '',
    emptyText: takesEmpty(input) ? 'asked' : 'never',
    kept: isKept(input),
  }
}

export interface Group {
  title: string
  fields: Field[]
}

/** Each group stands where its first field does; fields without one keep their place. */
export function groupsOf(fields: readonly Field[]): Group[] {
  const groups: Group[] = []
  for (const field of fields) {
    const last = groups.at(-1)
    const own = last?.title === field.group ? last : field.group && groups.find((one) => one.title === field.group)
    if (own) own.fields.push(field)
    else groups.push({ title: field.group, fields: [field] })
  }
  return groups
}

/** Later ones of `given` win over earlier ones; secrets and files are taken from none of them. */
export function startValues(fields: readonly Field[], ...given: Values[]): Values {
  const known = Object.assign({}, ...given) as Values
  return Object.fromEntries(
    fields.map((field) => [field.name, (field.kept ? known[field.name] : '') ?? field.default ?? '']),
  )
}

export function keptValues(fields: readonly Field[], values: Values): Values {
  return Object.fromEntries(
    fields.filter((field) => field.kept).map((field) => [field.name, values[field.name] ?? '']),
  )
}

/** The names in `given` whose empty text is meant. */
export function emptyOnes(fields: readonly Field[], given: Values): string[] {
  return fields
    .filter((field) => field.kept && field.emptyText === 'asked' && given[field.name] === '')
    .map((field) => field.name)
}

/**
 * What is sent: a field left empty gives nothing, so that defaults and the server's values hold,
 * unless an empty text is meant.
 */
export function sentValues(
  fields: readonly Field[],
  values: Values,
  files: Files = {},
  empty: ReadonlySet<string> = new Set(),
): Given {
  const sent: Given = {}
  for (const field of fields) {
    const value = givenBy(field, values, files, empty)
    if (value !== undefined) sent[field.name] = value
  }
  return sent
}

/** What one field gives; undefined where that is nothing. */
export function givenBy(
  field: Field,
  values: Values,
  files: Files,
  empty: ReadonlySet<string>,
): string | GivenFile | undefined {
  if (field.type === 'file') return files[field.name]
  const isMeant = field.emptyText === 'always' || (field.emptyText === 'asked' && empty.has(field.name))
  return values[field.name] || (isMeant ? '' : undefined)
}

export interface Prefilled {
  values: Values
  /** Secrets, which an address must not hold, and files. */
  refused: string[]
  unknown: string[]
}

const PREFIX = 'env.'

/** What an address gives as `?env.NAME=value`. */
export function prefilled(query: Record<string, unknown>, fields: readonly Field[]): Prefilled {
  const found: Prefilled = { values: {}, refused: [], unknown: [] }
  for (const [key, value] of Object.entries(query)) {
    if (!key.startsWith(PREFIX)) continue
    const name = key.slice(PREFIX.length)
    const field = fields.find((one) => one.name === name)
    if (!field) found.unknown.push(name)
    else if (!field.kept) found.refused.push(name)
    else found.values[name] = (Array.isArray(value) ? value : [value]).map((one) => one ?? '').join(',')
  }
  return found
}

/** The query without what an address must not hold. */
export function cleaned<T>(query: Record<string, T>, names: readonly string[]): Record<string, T> {
  return Object.fromEntries(
    Object.entries(query).filter(([key]) => !names.some((name) => key === PREFIX + name)),
  )
}

const PLACEHOLDER = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g

/** The text to type, or null where a value is not known yet. Null also where none is wanted. */
export function confirmText(
  policy: Policy | null,
  fields: readonly Field[],
  given: Given,
): string | null {
  if (!policy?.confirm) return null
  let known = true
  const text = policy.confirm.replace(PLACEHOLDER, (_, name: string) => {
    const field = fields.find((one) => one.name === name)
    const value = given[name] ?? field?.default
    if (value === undefined || value === null) known &&= !field || field.optional
    return typeof value === 'string' ? value : ''
  })
  return known ? text.trim() : null
}

export interface Faults {
  fields: Record<string, string>
  others: string[]
}

export type Told = Pick<Problem, 'code' | 'params' | 'message' | 'hint'>

/** The server's words, each at the field that it speaks of. */
export function placed(problems: readonly Told[], fields: readonly Field[]): Faults {
  const faults: Faults = { fields: {}, others: [] }
  for (const { code, params, message, hint } of problems) {
    const field = fields.find((one) => one.name === params.variable)
    if (!field) faults.others.push(hint ? `${message}. ${hint}` : message)
    else if (code === 'missing_input') faults.fields[field.name] = missing(field)
    else if (hint && hint !== field.description) faults.fields[field.name] = `${message}. ${hint}`
    else faults.fields[field.name] = message
  }
  return faults
}
