import type { ImportedDevices } from '@/api/inventory'
import type { Told } from '@/shared/inputs/fields'

/** The names of the columns in the first line of a table, as the server reads them. */
export function columnsOf(text: string): string[] {
  const [heading = ''] = text.replace(/^\uFEFF/, '').split('\n', 1)
  const count = (sign: string) => heading.split(sign).length
  const separator = count(';') > count(',') ? ';' : ','
  return heading.split(separator).map((cell) => cell.trim())
}

/** Where a line, counted from 1, begins and ends. */
export function lineAt(text: string, line: number): { start: number; end: number } {
  let start = 0
  for (let n = 1; n < line; n += 1) {
    const end = text.indexOf('\n', start)
    if (end < 0) break
    start = end + 1
  }
  const end = text.indexOf('\n', start)
  return { start, end: end < 0 ? text.length : end }
}

export interface Mistake {
  line: number
  /** The name of its column; empty if the line as a whole is wrong. */
  column: string
  text: string
  /** What the line says. */
  row: string
}

/** The server's problems by line. */
export function mistakesOf(problems: readonly (Told & { line?: number | null })[], text: string): Mistake[] {
  const columns = columnsOf(text)
  const found = problems.map(({ line, params, message, hint }) => {
    const { start, end } = lineAt(text, line ?? 1)
    const column = typeof params.column === 'number' ? (columns[params.column - 1] ?? '') : ''
    return { line: line ?? 1, column, text: [message, hint].filter(Boolean).join('. '), row: text.slice(start, end) }
  })
  return found.sort((a, b) => a.line - b.line)
}

export interface Change {
  name: string
  isNew: boolean
  fields: { name: string; before: string; after: string }[]
}

/** What an import changes, or would: new devices first. */
export function changesOf({ added, changed }: Pick<ImportedDevices, 'added' | 'changed'>): Change[] {
  return [
    ...added.map((name) => ({ name, isNew: true, fields: [] })),
    ...changed.map(({ name, fields, before, after }) => ({
      name,
      isNew: false,
      fields: fields.map((field) => ({ name: field, before: valueText(before[field]), after: valueText(after[field]) })),
    })),
  ]
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.join(', ')
  return value === null || value === undefined ? '' : String(value)
}
