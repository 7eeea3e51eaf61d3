import { nextTick, reactive, watch } from 'vue'
import type { GivenFile } from '@/api/runbooks'
import { checkText, missing } from './check'
import type { Field, Files, Values } from './field'
import { givenBy, placed, sentValues, type Told } from './fields'

/** The initial content of a form. */
export interface Start {
  values: Values
  /** The names of fields that submit an empty value. */
  empty?: readonly string[]
  /** The names of fields that are validated at once. */
  touched?: readonly string[]
}

/** The values in a form and their errors. */
export function useInputForm(fields: () => readonly Field[], start: Start) {
  const values = reactive<Values>({ ...start.values })
  const files = reactive<Files>({})
  const empty = reactive(new Set<string>(start.empty))
  const touched = reactive(new Set<string>(start.touched))
  const unreadable = reactive<Record<string, string>>({})
  /** The server's errors, each until its value changes. */
  const told = reactive<Record<string, { given: unknown; message: string }>>({})
  /** The server's errors that concern no field. */
  const others = reactive<string[]>([])

  // A changed runbook may declare more inputs.
  watch(fields, (now) => {
    for (const { name, default: standard } of now) values[name] ??= standard ?? ''
  })

  const given = (field: Field) => givenBy(field, values, files, empty)

  function faultOf(field: Field): string | null {
    const value = given(field)
    if (unreadable[field.name]) return unreadable[field.name] ?? null
    if (value === undefined) return field.required ? missing(field) : null
    return typeof value === 'string' && value ? checkText(field, value) : null
  }

  /** Shows no error before the user has visited the field, unless its value is invalid. */
  function shownFault(field: Field): string | null {
    const value = given(field)
    const said = told[field.name]
    if (said && said.given === value && !unreadable[field.name]) return said.message
    const isShown = touched.has(field.name) || value !== undefined || unreadable[field.name]
    return isShown ? faultOf(field) : null
  }

  function give(name: string, text: string) {
    values[name] = text
    if (text) empty.delete(name)
  }

  function giveEmpty(name: string, isMeant: boolean) {
    if (isMeant) empty.add(name)
    else empty.delete(name)
  }

  function tell(problems: readonly Told[]) {
    const faults = placed(problems, fields())
    for (const field of fields()) {
      const message = faults.fields[field.name]
      if (message) told[field.name] = { given: given(field), message }
    }
    others.splice(0, Infinity, ...faults.others)
  }

  /** Whether the form is valid; shows every error from now on. */
  function check(): boolean {
    others.splice(0)
    for (const field of fields()) touched.add(field.name)
    return !fields().some(faultOf)
  }

  /** Clears secrets and files, which must not outlive the form. */
  function forget() {
    for (const field of fields()) if (!field.kept) give(field.name, '')
    for (const name of Object.keys(files)) files[name] = undefined
    for (const name of Object.keys(told)) Reflect.deleteProperty(told, name)
  }

  return {
    values, files, empty, others,
    /** The number of errors shown. */
    faultCount: () => fields().filter(shownFault).length,
    shownFault, give, giveEmpty, tell, check, forget,
    sent: () => sentValues(fields(), values, files, empty),
    giveFile: (name: string, file: GivenFile | undefined) => (files[name] = file),
    refuseFile: (name: string, message: string) => (unreadable[name] = message),
    touch: (name: string) => touched.add(name),
  }
}

export type InputForm = ReturnType<typeof useInputForm>

/** Focuses the first invalid field, or scrolls to the message about the whole form. */
export async function showFault(form: HTMLElement | null) {
  await nextTick()
  const faulty = form?.querySelector<HTMLElement>('.faulty')
  faulty?.querySelector<HTMLElement>('input, textarea, select')?.focus()
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
