/** Rows in the JSON text of a list, by field. */
export type JsonRow = Record<string, unknown>

/** The rows of a list of objects with plain values, which reads better as a table; null for any other text. */
export function jsonRows(text: string): JsonRow[] | null {
  if (!text.startsWith('[{')) return null
  try {
    const found: unknown = JSON.parse(text)
    return Array.isArray(found) && found.every(isFlat) ? found : null
  } catch {
    return null
  }
}

function isFlat(row: unknown): row is JsonRow {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return false
  return Object.values(row).every((value) => typeof value !== 'object' || isTexts(value))
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

/** The names of all fields, in the order in which they appear. */
export function columnsOf(rows: readonly JsonRow[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))]
}

export function cellOf(value: unknown): string {
  if (Array.isArray(value)) return value.join(', ')
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

/** Quotes texts that could be taken for something else, so that different values never look the same. */
function plainCell(value: unknown): string {
  return typeof value === 'string' && /^[\w./:@-]+$/.test(value) && !isJson(value) ? value : JSON.stringify(value)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** A row per line: `NETWORK=lan, VLAN=12`. Other texts stay as they are. */
export function rowLines(text: string): string {
  const rows = jsonRows(text)
  if (!rows) return text
  return rows
    .map((row, at) => `${at + 1}. ${Object.entries(row).map(([name, value]) => `${name}=${plainCell(value)}`).join(', ')}`)
    .join('\n')
}
