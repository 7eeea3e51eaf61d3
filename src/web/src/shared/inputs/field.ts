import type { GivenFile, InputItem } from '@/api/runbooks'

/** An input as the form needs it. */
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

/** Values as the strings that the engine takes, without files. */
export type Values = Record<string, string>
export type Files = Record<string, GivenFile | undefined>

/** The values to submit, by name. */
export type Given = Record<string, string | GivenFile>
