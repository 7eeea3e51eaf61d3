import type { RunEvent } from '@/api/events'
import { type AnsiSpan, type AnsiStyle, parseAnsi, PLAIN } from '@/shared/text/ansi'

export type Stream = 'stdout' | 'stderr'

export interface LogLine {
  /** Number of the line in the run's log, from 1. */
  n: number
  stream: Stream
  at: string
  step: number | null
  text: string
  /** The server truncated this line. */
  cut?: boolean
}

/** Where events take over from lines loaded from the server. */
export interface LogStart {
  lines: number
  event: number
}

/** Lines are loaded and evicted in blocks of this size. */
export const BLOCK = 500
const MOST_BLOCKS = 40
const MOST_LIVE = 20_000

interface Carry {
  step: number | null
  stdout: AnsiStyle
  stderr: AnsiStyle
}
interface Drawn {
  spans: AnsiSpan[]
  after: Carry
}
const NOTHING: Carry = { step: null, stdout: PLAIN, stderr: PLAIN }

/**
 * The lines of a log. Up to `base` they are loaded from the server in blocks, with an LRU cache;
 * later lines are assembled from the run's events.
 */
export class RunLog {
  /** Number of lines in the log. */
  count: number
  /** Number of lines when the events took over. */
  readonly begin: number
  /** The later lines of stderr. */
  readonly errorLines: LogLine[] = []
  /** The last line not covered by events, or only at its end. */
  #base: number
  #lastEvent: number
  #blocks = new Map<number, LogLine[]>()
  #drawn = new Map<number, Drawn[]>()
  #live: LogLine[] = []
  #liveDrawn: Drawn[] = []

  constructor(
    start: LogStart = { lines: 0, event: 0 },
    readonly limits = { blocks: MOST_BLOCKS, live: MOST_LIVE },
  ) {
    this.begin = this.count = this.#base = start.lines
    this.#lastEvent = start.event
  }

  get base(): number {
    return this.#base
  }

  /**
   * Adds an output event and ignores others. Returns whether there was output, or `grown` if a
   * loaded line got longer and must be reloaded.
   */
  add(event: RunEvent): boolean | 'grown' {
    if (!event.stream || !event.text || event.n <= this.#lastEvent) return false
    this.#lastEvent = event.n
    const parts = event.text.split('\n')
    if (parts.at(-1) === '') parts.pop()
    const first = event.line ?? this.count + 1
    for (const [at, text] of parts.entries()) this.#place(first + at, event, event.stream, text)
    this.#trim()
    return first <= this.#base ? 'grown' : true
  }

  #place(n: number, event: RunEvent, stream: Stream, text: string): void {
    if (n <= this.#base) return
    const index = n - this.#base - 1
    const known = this.#live[index]
    if (known) known.text += text
    else this.#push({ n, stream, at: event.at, step: event.step ?? null, text })
    this.#liveDrawn.length = Math.min(this.#liveDrawn.length, index)
    this.count = Math.max(this.count, n)
  }

  #push(line: LogLine): void {
    this.#live.push(line)
    if (line.stream === 'stderr') this.errorLines.push(line)
  }

  /** Evicts complete lines of a long log: they can be reloaded. */
  #trim(): void {
    if (this.#live.length <= this.limits.live) return
    const gone = this.#live.length - Math.ceil(this.limits.live / 2)
    this.#live.splice(0, gone)
    this.#liveDrawn.splice(0, gone)
    this.#blocks.delete(blockOf(this.#base))
    this.#base += gone
    this.#blocks.delete(blockOf(this.#base))
  }

  line(n: number): LogLine | undefined {
    if (n > this.#base) return this.#live[n - this.#base - 1]
    return this.#blocks.get(blockOf(n))?.[(n - 1) % BLOCK]
  }

  /** The styled line; colours carry over from the previous line of the same step and stream. */
  spans(n: number): AnsiSpan[] {
    return this.#drawnLine(n)?.spans ?? []
  }

  #drawnLine(n: number): Drawn | undefined {
    if (n <= this.#base) return this.#drawnBlock(blockOf(n))?.[(n - 1) % BLOCK]
    while (this.#liveDrawn.length < n - this.#base) {
      const at = this.#liveDrawn.length
      const line = this.#live[at]
      if (!line) return undefined
      const before = this.#liveDrawn[at - 1] ?? this.#drawnLine(this.#base)
      this.#liveDrawn.push(draw(line, before?.after ?? NOTHING))
    }
    return this.#liveDrawn[n - this.#base - 1]
  }

  #drawnBlock(block: number): Drawn[] | undefined {
    // Not recursive: there may be many blocks in a row.
    let first = block
    while (this.#blocks.has(first - 1) && !this.#drawn.has(first - 1)) first -= 1
    for (let at = first; at <= block; at += 1) {
      if (this.#drawn.has(at)) continue
      let carry = this.#drawn.get(at - 1)?.at(-1)?.after ?? NOTHING
      const drawn = (this.#blocks.get(at) ?? []).map((line) => {
        const one = draw(line, carry)
        carry = one.after
        return one
      })
      if (this.#blocks.has(at)) this.#drawn.set(at, drawn)
    }
    return this.#drawn.get(block)
  }

  /** Missing blocks for these lines, including the previous block for its colours. */
  missing(first: number, last: number): number[] {
    const found: number[] = []
    const end = blockOf(Math.min(last, this.#base))
    for (let block = blockOf(first); block <= end; block += 1) {
      if (!this.#blocks.has(block)) found.push(block)
      else this.#touch(block)
    }
    const before = blockOf(first) - 1
    if (before >= 0 && first <= this.#base && !this.#blocks.has(before)) found.push(before)
    return found
  }

  #touch(block: number): void {
    const lines = this.#blocks.get(block)
    if (!lines) return
    this.#blocks.delete(block)
    this.#blocks.set(block, lines)
  }

  put(block: number, lines: readonly LogLine[]): void {
    this.#blocks.delete(block)
    this.#blocks.set(
      block,
      lines.filter((line) => line.n <= this.#base),
    )
    for (const key of this.#drawn.keys()) if (key >= block) this.#drawn.delete(key)
    this.#liveDrawn = []
    for (const key of this.#blocks.keys()) {
      if (this.#blocks.size <= this.limits.blocks) break
      this.#blocks.delete(key)
      this.#drawn.delete(key)
    }
  }
}

export function blockOf(n: number): number {
  return Math.floor((n - 1) / BLOCK)
}

/** The lines of a block, from 1. */
export function linesOf(block: number): { first: number; last: number } {
  return { first: block * BLOCK + 1, last: (block + 1) * BLOCK }
}

function draw(line: LogLine, before: Carry): Drawn {
  const carry = before.step === line.step ? before : { ...NOTHING, step: line.step }
  const [spans, style] = parseAnsi(line.text, carry[line.stream])
  return { spans, after: style === carry[line.stream] ? carry : { ...carry, [line.stream]: style } }
}
