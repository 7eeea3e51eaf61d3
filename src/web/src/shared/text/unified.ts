import type { DiffLine } from './diff'

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)$/
const FILE = /^(?:diff |index |--- |\+\+\+ |new file|deleted file|similarity|rename )/

/** The lines of a unified diff, with their numbers; what begins a file or a hunk is `skipped`. */
export function unifiedLines(text: string): DiffLine[] {
  const lines: DiffLine[] = []
  let [before, after] = [0, 0]
  let inHunk = false
  for (const line of text.replace(/\n$/, '').split('\n')) {
    const hunk = HUNK.exec(line)
    if (hunk) {
      before = Number(hunk[1])
      after = Number(hunk[2])
      inHunk = true
      lines.push({ kind: 'skipped', text: line, before: null, after: null })
    } else if (inHunk && line.startsWith('+') && !line.startsWith('+++ ')) {
      lines.push({ kind: 'added', text: line.slice(1), before: null, after: after++ })
    } else if (inHunk && line.startsWith('-') && !line.startsWith('--- ')) {
      lines.push({ kind: 'removed', text: line.slice(1), before: before++, after: null })
    } else if (inHunk && (line.startsWith(' ') || line === '')) {
      lines.push({ kind: 'same', text: line.slice(1), before: before++, after: after++ })
    } else {
      // The head of the next file, or "\ No newline at end of file".
      if (FILE.test(line)) inHunk = false
      lines.push({ kind: 'skipped', text: line, before: null, after: null })
    }
  }
  return lines
}

/** `3 lines added, 1 removed`. */
export function sumOf(lines: readonly Pick<DiffLine, 'kind'>[]): { added: number; removed: number } {
  const count = (kind: DiffLine['kind']) => lines.filter((line) => line.kind === kind).length
  return { added: count('added'), removed: count('removed') }
}
