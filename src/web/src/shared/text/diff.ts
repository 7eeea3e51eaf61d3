import { counted } from './numbers'

export interface DiffLine {
  kind: 'same' | 'removed' | 'added' | 'skipped'
  text: string
  /** Line numbers before and after; null on the side that lacks the line. */
  before: number | null
  after: number | null
}

const CONTEXT = 3
/** Above this the table takes too long to fill: everything counts as replaced. */
const MOST_CELLS = 4_000_000

/** A line diff: the longest common subsequence between the common beginning and end. */
export function diffLines(before: string, after: string): DiffLine[] {
  const a = before.split('\n')
  const b = after.split('\n')
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1
  let end = 0
  while (
    end < a.length - start &&
    end < b.length - start &&
    a[a.length - 1 - end] === b[b.length - 1 - end]
  ) {
    end += 1
  }
  const lines: DiffLine[] = []
  const same = (i: number, j: number) =>
    lines.push({ kind: 'same', text: a[i] ?? '', before: i + 1, after: j + 1 })
  for (let i = 0; i < start; i += 1) same(i, i)
  for (const [kind, i, j] of middle(a.slice(start, a.length - end), b.slice(start, b.length - end))) {
    if (kind === 'same') same(start + i, start + j)
    else if (kind === 'removed')
      lines.push({ kind, text: a[start + i] ?? '', before: start + i + 1, after: null })
    else lines.push({ kind, text: b[start + j] ?? '', before: null, after: start + j + 1 })
  }
  for (let i = end; i > 0; i -= 1) same(a.length - i, b.length - i)
  return lines
}

type Move = ['same' | 'removed' | 'added', number, number]

function middle(a: string[], b: string[]): Move[] {
  if (a.length * b.length > MOST_CELLS) {
    return [
      ...a.map((_, i): Move => ['removed', i, 0]),
      ...b.map((_, j): Move => ['added', 0, j]),
    ]
  }
  const width = b.length + 1
  const lengths = new Uint32Array((a.length + 1) * width)
  const at = (i: number, j: number) => lengths[i * width + j] ?? 0
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] =
        a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  const moves: Move[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) moves.push(['same', i++, j++])
    else if (i < a.length && (j >= b.length || at(i + 1, j) >= at(i, j + 1)))
      moves.push(['removed', i++, j])
    else moves.push(['added', i, j++])
  }
  return moves
}

/** Changed lines with some context; the lines between are folded into one that counts them. */
export function folded(lines: DiffLine[]): DiffLine[] {
  const near = new Set<number>()
  lines.forEach((line, at) => {
    if (line.kind === 'same') return
    for (let n = at - CONTEXT; n <= at + CONTEXT; n += 1) near.add(n)
  })
  const shown: DiffLine[] = []
  let hidden = 0
  const tell = () => {
    if (hidden === 0) return
    const text = counted(hidden, 'unchanged line')
    shown.push({ kind: 'skipped', text, before: null, after: null })
    hidden = 0
  }
  lines.forEach((line, at) => {
    if (!near.has(at)) return void (hidden += 1)
    tell()
    shown.push(line)
  })
  tell()
  return shown
}

const SIGNS: Record<DiffLine['kind'], string> = { same: ' ', removed: '-', added: '+', skipped: '… ' }

/** The diff as lines that begin with their sign. */
export function diffText(before: string, after: string): string {
  return folded(diffLines(before, after))
    .map((line) => SIGNS[line.kind] + line.text)
    .join('\n')
}
