import type { InputItem } from '@/api/runbooks'

export type Values = Record<string, string>

const SECRET_NAME = /pass|secret|token|key|credential/i

/** Whether the value may be kept in this tab: a short-form input may be a secret by its name. */
export function isKept(input: InputItem): boolean {
  if (input.type === 'secret' || input.type === 'file') return false
  return input.typed || !SECRET_NAME.test(input.name)
}

export function startValues(inputs: readonly InputItem[], draft: Values): Values {
  return Object.fromEntries(
    inputs.map((input) => [input.name, draft[input.name] ?? input.default ?? '']),
  )
}

export function keptValues(inputs: readonly InputItem[], values: Values): Values {
  return Object.fromEntries(
    inputs.filter(isKept).map((input) => [input.name, values[input.name] ?? '']),
  )
}

/** What is sent: a field left empty gives nothing, so that defaults and the server's values hold. */
export function sentValues(inputs: readonly InputItem[], values: Values): Values {
  return Object.fromEntries(
    inputs
      .filter((input) => (values[input.name] ?? '') !== '')
      .map((input) => [input.name, values[input.name] ?? '']),
  )
}

export function isRequired(input: InputItem): boolean {
  return !input.optional && input.default === null && input.from === null
}
