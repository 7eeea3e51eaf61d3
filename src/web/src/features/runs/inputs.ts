import type { Run } from '@/api/runs'

export interface ShownInput {
  name: string
  /** On one line, truncated. */
  text: string
}

const MOST_CHARACTERS = 60

/** The inputs of a run whose values are stored: no secrets, files or short-form inputs. */
export function storedInputs(inputs: Run['inputs']): ShownInput[] {
  return Object.entries(inputs).flatMap(([name, input]) => {
    const value: unknown = input.value
    if (value === undefined || value === null || value === '') return []
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return [{ name, text: oneLine(text) }]
  })
}

function oneLine(text: string): string {
  const line = text.slice(0, 4 * MOST_CHARACTERS).replace(/\s+/g, ' ').trim()
  const isCut = line.length > MOST_CHARACTERS || text.length > 4 * MOST_CHARACTERS
  return isCut ? `${line.slice(0, MOST_CHARACTERS)}…` : line
}
