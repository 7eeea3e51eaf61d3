import { type AnsweredLine, getLogLines } from '@/api/runs'
import { stripAnsi } from '@/shared/text/ansi'

/** Maximum number of lines to compare per run, limited by the diff algorithm. */
export const MOST_LINES = 2_000
/** Only the beginning of longer lines is compared. */
export const MOST_CHARACTERS = 2_000

/** The first lines of a run's output, without escape sequences. */
export async function fetchOutput(id: string, signal?: AbortSignal): Promise<string[]> {
  return readLines(await getLogLines(id, 1, MOST_LINES, signal))
}

/** Joins the parts of very long lines. */
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
