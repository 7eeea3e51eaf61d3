import { type AnsweredLine, getLogLines } from '@/api/runs'
import { stripAnsi } from '@/shared/text/ansi'

/** So many lines of each run are compared: about as many as the algorithm can take. */
export const MOST_LINES = 2_000
/** Of a longer line only the beginning is compared. */
export const MOST_CHARACTERS = 2_000

/** The first lines of what a run printed, as they are read. */
export async function fetchOutput(id: string, signal?: AbortSignal): Promise<string[]> {
  return readLines(await getLogLines(id, 1, MOST_LINES, signal))
}

/** A very long line is answered in several pieces. */
export function readLines(answered: readonly AnsweredLine[]): string[] {
  const lines = new Map<number, string>()
  for (const { line, text } of answered) {
    const known = lines.get(line) ?? ''
    if (known.length <= MOST_CHARACTERS) lines.set(line, known + text)
  }
  return [...lines.values()].map((line) => cutLine(stripAnsi(line)))
}

function cutLine(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text
}
