import { computed, nextTick, reactive, watch } from 'vue'
import type { GivenFile, Row } from '@/api/runbooks'
import { checkText, missing } from './check'
import type { Field, Files, Values } from './field'
import { givenBy, placed, sentValues, type Told } from './fields'
import { cellKey, countFault, movedKey, rowsIn, shownCells } from './list/rows'
import { shownOf } from './parts/showing'

/** The initial content of a form. */
export interface Start {
  values: Values
  /** The names of fields that submit an empty value. */
  empty?: readonly string[]
  /** The names of fields that are validated at once. */
  touched?: readonly string[]
}

/** The values in a form and their errors. `mayAsk`: whether the server gives this user live choices. */
export function useInputForm(fields: () => readonly Field[], start: Start, mayAsk = () => true) {
  const values = reactive<Values>({ ...start.values })
  const files = reactive<Files>({})
  const empty = reactive(new Set<string>(start.empty))
  /** The names of fields, and the keys of cells of lists. */
  const touched = reactive(new Set<string>(start.touched))
  const unreadable = reactive<Record<string, string>>({})
  /** The server's errors, by field or cell, each until its value changes. */
  const told = reactive<Record<string, { given: unknown; message: string }>>({})
  /** The server's errors that concern no field. */
  const others = reactive<string[]>([])

  // A changed runbook may declare more inputs.
  watch(fields, (now) => {
    for (const { name, default: standard } of now) values[name] ??= standard ?? ''
  })

  const showing = computed(() => shownOf(fields(), ({ name }) => values[name] ?? ''))
  const given = (field: Field) => givenBy(field, values, files, empty)
  const rows = (field: Field) => rowsIn(field, values[field.name] ?? '') ?? []
  const cells = (field: Field, row: Row) => shownCells(field, row, showing.value.scope)

  function faultOf(field: Field): string | null {
    if (field.type === 'list') return listFault(field)
    const value = given(field)
    if (unreadable[field.name]) return unreadable[field.name] ?? null
    if (value === undefined) return field.required ? missing(field) : null
    return typeof value === 'string' && value ? checkText(field, value) : null
  }

  /** What is wrong with a list, apart from its cells. */
  function listFault(field: Field): string | null {
    const text = values[field.name] ?? ''
    const found = rowsIn(field, text)
    if (found === null) return `${field.label || field.name} must be a JSON list of rows`
    if (!found.length && !text) return field.required ? missing(field) : null
    return countFault(field, found)
  }

  function cellFault(row: Row, column: Field): string | null {
    return checkText(column, row[column.name] ?? '')
  }

  function hasFault(field: Field): boolean {
    if (faultOf(field)) return true
    return rows(field).some((row) => cells(field, row).some((column) => cellFault(row, column)))
  }

  /** Shows no error before the user has visited the field, unless its value is invalid. */
  function shownFault(field: Field): string | null {
    const value = given(field)
    const said = told[field.name]
    if (said && said.given === value && !unreadable[field.name]) return said.message
    const isShown = touched.has(field.name) || value !== undefined || unreadable[field.name]
    return isShown ? faultOf(field) : null
  }

  /** Like `shownFault`, for a field of row number `at`. */
  function shownCellFault(field: Field, at: number, column: Field): string | null {
    const row = rows(field)[at]
    const key = cellKey(field.name, at, column.name)
    const value = row?.[column.name] ?? ''
    const said = told[key]
    if (said && said.given === value) return said.message
    return row && (value || touched.has(key)) ? cellFault(row, column) : null
  }

  /** The number of errors shown at a field, with those in its cells. */
  function faultsAt(field: Field): number {
    const inCells = rows(field).flatMap((row, at) =>
      cells(field, row).filter((column) => shownCellFault(field, at, column)),
    )
    return inCells.length + (shownFault(field) ? 1 : 0)
  }

  function give(name: string, text: string) {
    values[name] = text
    if (text) empty.delete(name)
  }

  /** `order` has the former number of each row, or null for a new one. */
  function giveRows(field: Field, changed: readonly Row[], order?: readonly (number | null)[]) {
    give(field.name, JSON.stringify(changed))
    if (!order) return
    const kept = [...touched].flatMap((key) => movedKey(key, field.name, order) ?? [])
    touched.clear()
    for (const key of kept) touched.add(key)
    const messages = Object.entries(told)
    for (const [key] of messages) Reflect.deleteProperty(told, key)
    for (const [key, said] of messages) {
      const now = movedKey(key, field.name, order)
      if (now !== undefined) told[now] = said
    }
  }

  function giveEmpty(name: string, isMeant: boolean) {
    if (isMeant) empty.add(name)
    else empty.delete(name)
  }

  function tell(problems: readonly Told[]) {
    const { shown } = showing.value
    const faults = placed(problems, shown)
    for (const field of shown) {
      const message = faults.fields[field.name]
      if (message) told[field.name] = { given: given(field), message }
      rows(field).forEach((row, at) => {
        for (const { name } of field.columns) {
          const key = cellKey(field.name, at, name)
          if (faults.cells[key]) told[key] = { given: row[name] ?? '', message: faults.cells[key] }
        }
      })
    }
    others.splice(0, Infinity, ...faults.others)
  }

  /** Shows every error of a field from now on. */
  function touch(field: Field) {
    touched.add(field.name)
    rows(field).forEach((row, at) => {
      for (const { name } of cells(field, row)) touched.add(cellKey(field.name, at, name))
    })
  }

  /** Whether the form, or a page of it, is valid; shows every error from now on. */
  function check(page: readonly Field[] = fields()): boolean {
    others.splice(0)
    const shown = showing.value.shown.filter((field) => page.includes(field))
    shown.forEach(touch)
    return !shown.some(hasFault)
  }

  /** Clears secrets and files, which must not outlive the form. */
  function forget() {
    for (const field of fields()) if (!field.kept) give(field.name, '')
    for (const name of Object.keys(files)) files[name] = undefined
    for (const name of Object.keys(told)) Reflect.deleteProperty(told, name)
  }

  return {
    values, files, empty, others, rows, cells, mayAsk,
    /** The fields that show now. */
    shown: () => showing.value.shown,
    /** The values that conditions of fields in rows compare. */
    scope: () => showing.value.scope,
    /** The number of errors shown, of all fields or of those on a page. */
    faultCount: (page: readonly Field[] = showing.value.shown) => {
      const shown = showing.value.shown.filter((field) => page.includes(field))
      return shown.reduce((count, field) => count + faultsAt(field), 0)
    },
    shownFault, shownCellFault, give, giveRows, giveEmpty, tell, check, forget,
    sent: () => sentValues(fields(), values, files, empty),
    giveFile: (name: string, file: GivenFile | undefined) => (files[name] = file),
    refuseFile: (name: string, message: string) => (unreadable[name] = message),
    touch: (name: string) => touched.add(name),
    touchCell: (field: Field, at: number, column: Field) => touched.add(cellKey(field.name, at, column.name)),
  }
}

export type InputForm = ReturnType<typeof useInputForm>

/** Focuses the first invalid field, or scrolls to the message about the whole form. */
export async function showFault(form: HTMLElement | null) {
  await nextTick()
  // In a list, the cell rather than the whole table.
  const faulty = form?.querySelector<HTMLElement>('.faulty:not(:has(.faulty))')
  faulty?.querySelector<HTMLElement>('input, textarea, select, button')?.focus()
  const target = faulty ?? form?.querySelector('.told')
  target?.scrollIntoView({ block: 'center' })
}

/** Scrolls a focused or growing field out from behind the bars; browsers do not. */
export async function keepInView({ target }: Event) {
  // A checkbox or radio button must not move under the finger.
  const isTyped = (target as HTMLElement).matches('textarea, input:not([type=checkbox], [type=radio], [type=file])')
  if (!isTyped) return
  await nextTick()
  ;(target as HTMLElement).scrollIntoView({ block: 'nearest' })
}
