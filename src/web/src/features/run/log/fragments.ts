import type { AnsiSpan, AnsiStyle } from '@/shared/text/ansi'
import { BIDI_CONTROLS, codePointName } from '@/shared/text/bidi'

/** A piece of a line with one style. */
export interface Fragment {
  text: string
  style: AnsiStyle
  isHit: boolean
  /** Link target, http and https only. */
  href: string | null
  /** Whether it represents an invisible character. */
  isBidiControl: boolean
}

/** Longer lines would block the page; the download has all of them. */
export const LONGEST = 10_000

interface Range {
  from: number
  to: number
}

/** Splits spans at matches, links and direction controls, and truncates long lines. */
export function fragmentsOf(spans: readonly AnsiSpan[], query: string): { fragments: Fragment[]; more: number } {
  const whole = spans.map((span) => span.text).join('')
  const text = whole.slice(0, LONGEST)
  const hits = query ? hitsIn(text, query) : []
  const links = rangesOf(text, LINK)
  const turns = rangesOf(text, BIDI_CONTROLS)
  const borders = [...hits, ...links, ...turns].flatMap(({ from, to }) => [from, to]).sort((a, b) => a - b)
  const fragments: Fragment[] = []
  let start = 0
  for (const { text: own, style } of spans) {
    const end = Math.min(start + own.length, text.length)
    let from = start
    for (const to of [...borders.filter((at) => at > start && at < end), end]) {
      if (to <= from) continue
      const isBidiControl = covered(from, turns) !== undefined
      const link = covered(from, links)
      fragments.push({
        text: isBidiControl ? codePointName(text.slice(from, to)) : text.slice(from, to),
        style,
        isHit: covered(from, hits) !== undefined,
        href: style.link ?? (link ? text.slice(link.from, link.to) : null),
        isBidiControl,
      })
      from = to
    }
    start += own.length
  }
  return { fragments, more: Math.max(0, whole.length - LONGEST) }
}

/** A URL without the punctuation of its sentence. */
const LINK = /\bhttps?:\/\/[^\s<>"'`\u202a-\u202e\u2066-\u2069]*[^\s<>"'`.,;:!?)\]}\u202a-\u202e\u2066-\u2069]/gi

function rangesOf(text: string, pattern: RegExp): Range[] {
  return [...text.matchAll(pattern)].map(({ index, 0: found }) => ({ from: index, to: index + found.length }))
}

function covered(at: number, ranges: readonly Range[]): Range | undefined {
  return ranges.find(({ from, to }) => from <= at && at < to)
}

function hitsIn(text: string, query: string): Range[] {
  const found: Range[] = []
  const where = text.toLowerCase()
  const what = query.toLowerCase()
  // Some letters change length with case: then positions would not match.
  if (where.length !== text.length) return found
  for (let at = where.indexOf(what); at >= 0; at = where.indexOf(what, at + what.length)) {
    found.push({ from: at, to: at + what.length })
  }
  return found
}
