import type { GivenFile, InputItem } from '@/api/runbooks'

/** An input as the form needs it. */
export interface Field {
  name: string
  type: InputItem['type']
  typed: boolean
  description: string
  group: string
  required: boolean
  optional: boolean
  /** Whether the server has a value of its own. */
  supplied: boolean
  /** Where the server takes it from; empty where it is only given. */
  source: string
  /** Shown; null for secrets. */
  default: string | null
  hasDefault: boolean
  example: string | null
  choices: string[]
  /** Which runbook finds the choices out, where one does. */
  choicesFrom: string | null
  min: string | null
  max: string | null
  pattern: string | null
  basePattern: string | undefined
  ownPattern: string | undefined
  /** What is said below the control, where this form has more to say of it. */
  note: string
  /** Whether an empty text is a value: never, when one says so, or whenever the field is empty. */
  emptyText: 'never' | 'asked' | 'always'
  /** Whether its value may be kept in this tab, and stand in an address. */
  kept: boolean
}

/** Every value as the text that the engine takes; files stand apart. */
export type Values = Record<string, string>
export type Files = Record<string, GivenFile | undefined>

/** What the form gives, by name. */
export type Given = Record<string, string | GivenFile>
