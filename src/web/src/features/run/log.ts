import type { RunEvent } from '@/api/events'

export type Stream = 'stdout' | 'stderr'

export interface LogLine {
  /** Number of the line in the run's log, from 1. */
  n: number
  stream: Stream
  at: string
  step: number | null
  text: string
}

/** The lines of a log, put together from its output events in their order. */
export class RunLog {
  readonly lines: LogLine[] = []
  #isOpen = false

  /** Adds an output event; others change nothing. Returns whether there was output. */
  add(event: RunEvent): boolean {
    if (!event.stream || !event.text) return false
    const parts = event.text.split('\n')
    const endsLine = parts.at(-1) === ''
    if (endsLine) parts.pop()
    for (const [index, text] of parts.entries()) {
      const last = this.lines.at(-1)
      const goesOn = index === 0 && this.#isOpen && last?.stream === event.stream
      if (goesOn && last) last.text += text
      else this.#push(event, event.stream, text)
    }
    this.#isOpen = !endsLine
    return true
  }

  #push(event: RunEvent, stream: Stream, text: string): void {
    const n = (this.lines.at(-1)?.n ?? 0) + 1
    this.lines.push({ n, stream, at: event.at, step: event.step ?? null, text })
  }
}
