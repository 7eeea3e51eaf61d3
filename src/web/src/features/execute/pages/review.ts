import type { Row } from '@/api/runbooks'
import type { Field, Given } from '@/shared/inputs/field'
import { bytesOf } from '@/shared/inputs/files'
import { formatSize } from '@/shared/text/numbers'

/** How the review shows what a run would get for an input. */
export interface ReviewedValue {
  text: string
  /** Why that is the value, if it was not entered. */
  note: string
  rows: Row[] | null
}

const DOTS = '••••••••'

export function reviewed(field: Field, given: Given): ReviewedValue {
  const value = given[field.name]
  if (value === undefined) return { ...unset(field), rows: null }
  if (Array.isArray(value)) return { text: '', note: value.length ? '' : 'No rows', rows: value.length ? value : null }
  if (typeof value !== 'string') {
    return { text: value.name, note: formatSize(bytesOf(value.content_base64)), rows: null }
  }
  if (value === '') return { text: '', note: 'Empty', rows: null }
  return { text: field.kept ? value : DOTS, note: '', rows: null }
}

function unset(field: Field): Omit<ReviewedValue, 'rows'> {
  if (field.supplied) return { text: '', note: 'From the server' }
  if (field.default !== null) return { text: field.default, note: 'default' }
  return { text: '', note: field.hasDefault ? 'The default' : 'Not set' }
}
