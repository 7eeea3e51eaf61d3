import type { DeviceFilter } from '@/api/inventory'
import type { FieldItem, GivenFile, InputItem, InputProperty, Policy, Problem } from '@/api/runbooks'
import { namesText } from '@/shared/text/names'
import { missing } from './check'
import type { Field, Files, Given, Live, Values } from './field'
import { cellKey, givenRows } from './list/rows'
import { type Scope, shownOf } from './parts/showing'

const TEXTS: readonly Field['type'][] = ['string', 'text', 'secret']
export const FILE_LIMIT = 1024 * 1024

/** Whether the value may be stored in this tab. The server tells which inputs may be secrets. */
export function isKept(input: FieldItem): boolean {
  return !input.sensitive && input.type !== 'file'
}

/** Whether the engine accepts an empty value; otherwise empty means not set. */
function takesEmpty(input: FieldItem): boolean {
  return !input.typed || (input.optional && TEXTS.includes(input.type))
}

/** Where the server gets a secret; empty if it doesn't. */
export function sourceText({ from }: Pick<InputItem, 'from'>): string {
  if (!from) return ''
  return from === 'env' ? "from the server's environment" : 'from a file on the server'
}

/** The fields in schema order. */
export function fieldsOf(
  inputs: readonly (FieldItem | InputItem)[],
  schema: Record<string, InputProperty>,
  supplied: readonly string[],
): Field[] {
  const order = (input: FieldItem) => schema[input.name]?.['x-order'] ?? input.line
  return [...inputs]
    .sort((a, b) => order(a) - order(b))
    .map((input) => fieldOf(input, schema[input.name], supplied.includes(input.name)))
}

function liveOf(property: InputProperty | undefined): Live | null {
  const found = property?.['x-choices']
  if (!found) return null
  const { href, inputs, strict, ttl_seconds: ttl } = found
  return { href, inputs, strict, ttlMs: ttl * 1000 }
}

function devicesOf({ type, kind, vendor, tag }: FieldItem): DeviceFilter | null {
  if (type !== 'device' && type !== 'devices') return null
  return { usable: true, ...(kind && { kind }), ...(vendor && { vendor }), ...(tag && { tag }) }
}

function fieldOf(input: FieldItem | InputItem, property: InputProperty | undefined, supplied: boolean): Field {
  // The declared pattern comes in addition to the type's, unless only Python supports it.
  const own = input.pattern !== null && !property?.['x-pattern'] ? property?.pattern : undefined
  const isSecret = input.type === 'secret'
  return {
    name: input.name,
    type: input.type,
    typed: input.typed,
    label: input.label ?? '',
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
    live: liveOf(property),
    kind: input.type === 'connection' ? (input.kind ?? '') : null,
    devices: devicesOf(input),
    conditions: input.show_if,
    columns: 'items' in input ? fieldsOf(input.items as FieldItem[], property?.items?.properties ?? {}, []) : [],
    fewest: property?.minItems ?? 0,
    most: property?.maxItems ?? Infinity,
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

/** Each group takes the place of its first field; ungrouped fields stay in place. */
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

/** Initial values: later items of `given` win. Secrets and files are never prefilled. */
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

/** The names in `given` that have an empty value. */
export function emptyOnes(fields: readonly Field[], given: Values): string[] {
  return fields
    .filter((field) => field.kept && field.emptyText === 'asked' && given[field.name] === '')
    .map((field) => field.name)
}

/**
 * The values to submit. A hidden or empty field submits nothing, so that defaults and the server's values
 * apply, unless the user asked for an empty value.
 */
export function sentValues(
  fields: readonly Field[],
  values: Values,
  files: Files = {},
  empty: ReadonlySet<string> = new Set(),
): Given {
  const sent: Given = {}
  const { shown, scope } = shownOf(fields, (field) => values[field.name] ?? '')
  for (const field of shown) {
    const value = field.type === 'list' ? rowsOf(field, values, scope) : givenBy(field, values, files, empty)
    if (value !== undefined) sent[field.name] = value
  }
  return sent
}

/** The rows to submit; none at all are submitted only where there would be rows otherwise. */
function rowsOf(field: Field, values: Values, scope: Scope) {
  const text = values[field.name] ?? ''
  // The server says what is wrong with it.
  const rows = givenRows(field, text, scope) ?? text
  return rows.length || (text && field.hasDefault) ? rows : undefined
}

/** The value that a field submits; undefined if none. */
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
  /** Secrets and files, which must not appear in a URL. */
  refused: string[]
  unknown: string[]
  /** Inputs that the URL gives several values, but that have one. */
  repeated: string[]
}

const PREFIX = 'env.'

/** The values in a URL's `?env.NAME=value`. */
export function prefilled(query: Record<string, unknown>, fields: readonly Field[]): Prefilled {
  const found: Prefilled = { values: {}, refused: [], unknown: [], repeated: [] }
  for (const [key, value] of Object.entries(query)) {
    if (!key.startsWith(PREFIX)) continue
    const name = key.slice(PREFIX.length)
    const field = fields.find((one) => one.name === name)
    if (!field) found.unknown.push(name)
    else if (!field.kept) found.refused.push(name)
    else if (Array.isArray(value) && field.type !== 'multichoice') found.repeated.push(name)
    else found.values[name] = (Array.isArray(value) ? value : [value]).map((one) => one ?? '').join(',')
  }
  return found
}

/** The query without values that must not appear in a URL. */
export function cleaned<T>(query: Record<string, T>, names: readonly string[]): Record<string, T> {
  return Object.fromEntries(
    Object.entries(query).filter(([key]) => !names.some((name) => key === PREFIX + name)),
  )
}

const PLACEHOLDER = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g

/** The confirmation to type; null if none is required or one of its inputs is still empty. */
export function confirmText(
  policy: Policy | null,
  fields: readonly Field[],
  given: Given,
): string | null {
  if (!policy?.confirm || confirmNeeds(policy, fields, given).length) return null
  const text = policy.confirm.replace(PLACEHOLDER, (_, name: string) => {
    const value = given[name] ?? fields.find((one) => one.name === name)?.default
    return typeof value === 'string' ? value : ''
  })
  return text.trim()
}

/** The inputs that the confirmation still needs. */
export function confirmNeeds(policy: Policy | null, fields: readonly Field[], given: Given): Field[] {
  const named = [...(policy?.confirm ?? '').matchAll(PLACEHOLDER)].map(([, name]) => name)
  return fields.filter(
    (field) => named.includes(field.name) && !field.optional && (given[field.name] ?? field.default ?? null) === null,
  )
}

const CHOSEN: readonly Field['type'][] = ['choice', 'multichoice', 'boolean', 'connection']

/** `Choose Machine first`: what to do before the confirmation. */
export function needsText(needs: readonly Field[]): string {
  const names = namesText(needs.map((field) => field.label || field.name))
  const isChosen = needs.every((field) => field.live || CHOSEN.includes(field.type))
  return `${isChosen ? 'Choose' : 'Fill in'} ${names} first`
}

export interface Faults {
  fields: Record<string, string>
  /** By row and field of a list. */
  cells: Record<string, string>
  others: string[]
}

export type Told = Pick<Problem, 'code' | 'params' | 'message' | 'hint'>

/** The server's messages, sorted by the field they concern. */
export function placed(problems: readonly Told[], fields: readonly Field[]): Faults {
  const faults: Faults = { fields: {}, cells: {}, others: [] }
  for (const { code, params, message, hint } of problems) {
    const field = fields.find((one) => one.name === params.variable)
    const row = typeof params.row === 'number' ? params.row : null
    const column = row === null ? undefined : field?.columns.find((one) => one.name === params.field)
    if (field && column && row !== null) {
      const key = cellKey(field.name, row, column.name)
      const text = message.replace(`${key} `, `${column.label || column.name} `)
      faults.cells[key] ??= code === 'missing_input' ? missing(column) : text
    } else if (!field) faults.others.push(hint ? `${message}. ${hint}` : message)
    else if (code === 'missing_input') faults.fields[field.name] = missing(field)
    else if (hint && hint !== field.description) faults.fields[field.name] = `${message}. ${hint}`
    else faults.fields[field.name] = message
  }
  return faults
}
