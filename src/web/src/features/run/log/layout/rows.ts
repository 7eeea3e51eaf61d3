import type { Schemas } from '@/api/client'

export type StepRun = Schemas['StepRun']

export const LINE = 20
/** Where fingers point, a step's head is as high as a finger needs, with its border. */
export const HEAD = globalThis.matchMedia?.('(pointer: coarse)').matches ? 45 : 38

/** Whether the step's end is not known: it is running, or its worker died before it told. */
export function isOpenEnded(step: StepRun): boolean {
  return !step.finished_at || (step.status === 'lost' && step.last_line < step.first_line)
}

/** The last line of a step, in a log of so many lines. */
export function lastLineOf(step: StepRun, count: number): number {
  return isOpenEnded(step) ? count : step.last_line
}

/** A step's head, or consecutive lines. */
export interface Segment {
  step: StepRun | null
  /** The step that printed the lines. */
  owner: StepRun | null
  /** Places of the lines, from 1; none for heads and collapsed steps. */
  first: number
  last: number
  y: number
  height: number
}
export interface Row {
  key: string
  y: number
  height: number
  line: number | null
  step: StepRun | null
}

/** The sections of the log in order, including lines between steps. */
export function sectionsOf(steps: readonly StepRun[], count: number) {
  const sorted = [...steps].sort((a, b) => a.first_line - b.first_line)
  const found: { step: StepRun | null; first: number; last: number }[] = []
  let next = 1
  for (const [at, step] of sorted.entries()) {
    if (step.first_line > next && next <= count) {
      found.push({ step: null, first: next, last: Math.min(step.first_line - 1, count) })
    }
    const following = sorted[at + 1]?.first_line ?? Infinity
    const end = Math.min(lastLineOf(step, count), isOpenEnded(step) ? following - 1 : Infinity)
    const first = Math.max(next, step.first_line)
    found.push({ step, first, last: Math.min(end, count) })
    next = Math.max(next, step.first_line, end + 1)
  }
  if (next <= count) found.push({ step: null, first: next, last: count })
  return found
}

/** The lines that are shown, by their place: all lines, or only the picked ones. */
class Places {
  readonly #picked: readonly number[] | null

  constructor(picked: readonly number[] | null) {
    this.#picked = picked
  }

  lineAt(place: number): number {
    return this.#picked ? (this.#picked[place - 1] ?? 0) : place
  }

  /** Number of shown lines up to a line. */
  upTo(line: number): number {
    return this.#picked ? countUpTo(this.#picked, line) : line
  }
}

/**
 * The position of every row. Unmeasured lines count as one line high. `picked`: numbers of the
 * lines to show, ascending; null for all.
 */
export class Rows {
  readonly segments: Segment[] = []
  readonly height: number
  readonly #extra: Extra
  readonly #places: Places

  constructor(
    steps: readonly StepRun[],
    count: number,
    isOpen: (step: StepRun) => boolean,
    extra: Extra,
    picked: readonly number[] | null = null,
  ) {
    this.#extra = extra
    this.#places = new Places(picked)
    let y = 0
    const push = (segment: Omit<Segment, 'y' | 'height'>, height: number) => {
      this.segments.push({ ...segment, y, height })
      y += height
    }
    for (const section of sectionsOf(steps, count)) {
      const { step } = section
      if (step) push({ step, owner: null, first: 0, last: -1 }, HEAD)
      const first = this.#places.upTo(section.first - 1) + 1
      const last = this.#places.upTo(section.last)
      if (last < first || (step !== null && !isOpen(step))) continue
      const height = (last - first + 1) * LINE + extra.between(section.first, section.last)
      push({ step: null, owner: step, first, last }, height)
    }
    this.height = y
  }

  /** The step whose lines are at a position below its head. */
  stepAt(y: number): StepRun | null {
    const segment = this.segments.find((item) => item.y <= y && y < item.y + item.height - HEAD)
    return segment?.owner ?? null
  }

  /** The rows that are at least partly between two positions. */
  between(top: number, bottom: number): Row[] {
    const rows: Row[] = []
    for (const segment of this.segments) {
      if (segment.y + segment.height <= top) continue
      if (segment.y >= bottom) break
      if (segment.step) {
        const { step, y, height } = segment
        rows.push({ key: `s${step.n}`, y, height, line: null, step })
      } else {
        this.#linesBetween(segment, top, bottom, rows)
      }
    }
    return rows
  }

  #linesBetween(segment: Segment, top: number, bottom: number, rows: Row[]): void {
    let low = segment.first
    let high = segment.last
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.#yIn(segment, middle) <= top) low = middle
      else high = middle - 1
    }
    let y = this.#yIn(segment, low)
    for (let place = low; place <= segment.last && y < bottom; place += 1) {
      const n = this.#places.lineAt(place)
      const height = LINE + this.#extra.of(n)
      rows.push({ key: `l${n}`, y, height, line: n, step: null })
      y += height
    }
  }

  #yIn(segment: Segment, place: number): number {
    const first = this.#places.lineAt(segment.first)
    const above = this.#extra.between(first, this.#places.lineAt(place) - 1)
    return segment.y + (place - segment.first) * LINE + above
  }

  /** The position of a line; null while it is not shown or its step is collapsed. */
  yOf(n: number): number | null {
    const place = this.#places.upTo(n)
    if (this.#places.lineAt(place) !== n) return null
    const segment = this.segments.find(
      (item) => item.step === null && item.first <= place && place <= item.last,
    )
    return segment ? this.#yIn(segment, place) : null
  }

  yOfStep(n: number): number | null {
    return this.segments.find((item) => item.step?.n === n)?.y ?? null
  }
}

/** How many of the ascending numbers are at most `n`. */
export function countUpTo(numbers: readonly number[], n: number): number {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((numbers[middle] ?? 0) <= n) low = middle + 1
    else high = middle
  }
  return low
}

/** The extra height of wrapped lines. */
export class Extra {
  readonly #heights = new Map<number, number>()
  #lines: number[] = []
  #sums: number[] = []
  #isSorted = true

  of(n: number): number {
    return this.#heights.get(n) ?? 0
  }

  /** Returns whether the height changed. */
  set(n: number, height: number): boolean {
    if (this.of(n) === height) return false
    if (height === 0) this.#heights.delete(n)
    else this.#heights.set(n, height)
    this.#isSorted = false
    return true
  }

  between(first: number, last: number): number {
    if (this.#heights.size === 0 || last < first) return 0
    this.#sort()
    return this.#upTo(last) - this.#upTo(first - 1)
  }

  #upTo(n: number): number {
    return this.#sums[countUpTo(this.#lines, n) - 1] ?? 0
  }

  #sort(): void {
    if (this.#isSorted) return
    this.#lines = [...this.#heights.keys()].sort((a, b) => a - b)
    let sum = 0
    this.#sums = this.#lines.map((n) => (sum += this.of(n)))
    this.#isSorted = true
  }
}
