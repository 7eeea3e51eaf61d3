import type { DeviceFilter } from '@/api/inventory'
import type { Condition, GivenFile, InputItem, Row } from '@/api/runbooks'

/** Choices that the server finds for the values in the form. */
export interface Live {
  /** Where to ask. */
  href: string
  /** The inputs, or fields of the same row, that they depend on. */
  inputs: string[]
  /** Whether no other value is valid. */
  strict: boolean
  ttlMs: number
}

/** An input, or a field of a list, as the form needs it. */
export interface Field {
  name: string
  type: InputItem['type']
  typed: boolean
  /** Shown instead of the name; empty if there is none. */
  label: string
  description: string
  group: string
  required: boolean
  optional: boolean
  /** Whether the server supplies a value. */
  supplied: boolean
  /** Where the server gets the value; empty if it doesn't. */
  source: string
  /** The default to show; null for secrets. */
  default: string | null
  hasDefault: boolean
  example: string | null
  choices: string[]
  /** The runbook that lists the choices, if any. */
  choicesFrom: string | null
  live: Live | null
  /** The kind of a connection; null for any other input. */
  kind: string | null
  /** Which devices an input of type device or devices takes; null for any other input. */
  devices: DeviceFilter | null
  /** It shows, and has a value, only while all of them hold. */
  conditions: readonly Condition[]
  /** The fields of a list. */
  columns: Field[]
  /** The number of rows that a list can have. */
  fewest: number
  most: number
  min: string | null
  max: string | null
  pattern: string | null
  basePattern: string | undefined
  ownPattern: string | undefined
  /** An extra note below the control. */
  note: string
  /** Whether an empty field submits an empty value: never, if the user asks for it, or always. */
  emptyText: 'never' | 'asked' | 'always'
  /** Whether its value may be stored in this tab and appear in a URL. */
  kept: boolean
}

/** Values as the strings that the engine takes, without files. A list is JSON text. */
export type Values = Record<string, string>
export type Files = Record<string, GivenFile | undefined>

/** The values to submit, by name. */
export type Given = Record<string, string | GivenFile | Row[]>
