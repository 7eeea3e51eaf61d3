import type { Row } from '@/api/runbooks'
import { counted } from '@/shared/text/numbers'
import type { Field } from '../field'
import { type Scope, shownOf } from '../parts/showing'

/** How the engine names a field in a row. */
export function cellKey(list: string, row: number, column: string): string {
  return `${list}[${row}].${column}`
}

export function blankRow(field: Field): Row {
  return Object.fromEntries(field.columns.map(({ name, default: standard }) => [name, standard ?? '']))
}

/** The rows in a list's text, each with all fields; null if it is no list of rows. */
export function rowsIn(field: Field, text: string): Row[] | null {
  if (text === '') return Array.from({ length: field.fewest }, () => blankRow(field))
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch {
    return null
  }
  if (!Array.isArray(found) || !found.every(isObject)) return null
  return found.map((row) =>
    Object.fromEntries(
      field.columns.map(({ name, default: standard }) => [name, name in row ? cellText(row[name]) : (standard ?? '')]),
    ),
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A value in a row as the text that its field shows: several choices are separated by commas. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value.join(',')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Whether a run stored these rows: it has values of other types, and no empty ones. */
export function isStored(field: Field, rows: readonly Row[], text: string): boolean {
  const kept = text && rowsIn({ ...field, columns: field.columns.map((one) => ({ ...one, default: null })) }, text)
  if (!kept || kept.length !== rows.length) return false
  return kept.every((row, at) => field.columns.every(({ name }) => (rows[at]?.[name] ?? '') === row[name]))
}

/** The fields that show in a row. */
export function shownCells(field: Field, row: Row, outer: Scope): Field[] {
  return shownOf(field.columns, ({ name }) => row[name] ?? '', outer).shown
}

/** The rows to submit, without hidden and empty fields; null if the text is no list of rows. */
export function givenRows(field: Field, text: string, outer: Scope): Row[] | null {
  return rowsIn(field, text)?.map((row) => givenRow(field, row, outer)) ?? null
}

export function givenRow(field: Field, row: Row, outer: Scope): Row {
  const shown = shownCells(field, row, outer).filter(({ name }) => row[name])
  return Object.fromEntries(shown.map(({ name }) => [name, row[name] ?? '']))
}

/** What is wrong with the number of rows, worded like the engine's message. */
export function countFault(field: Field, rows: readonly Row[]): string | null {
  const name = field.label || field.name
  if (rows.length < field.fewest) return `${name} must have at least ${counted(field.fewest, 'row')}`
  return rows.length > field.most ? `${name} must have at most ${counted(field.most, 'row')}` : null
}

/**
 * Keys of cells after a change of rows: `order` has the former number of each row, or null for a new
 * one. Undefined for a row that is gone; other keys stay.
 */
export function movedKey(key: string, list: string, order: readonly (number | null)[]): string | undefined {
  const [, row, column] = key.startsWith(`${list}[`) ? (/\[(\d+)\]\.(.+)$/.exec(key) ?? []) : []
  if (row === undefined || column === undefined) return key
  const at = order.indexOf(Number(row))
  return at < 0 ? undefined : cellKey(list, at, column)
}
