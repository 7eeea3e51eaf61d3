import { escaped } from '@/shared/text/pattern'
import { fuzzyRanges } from './fuzzy'

export interface Piece {
  text: string
  isFound: boolean
}

export function wordsOf(text: string): string[] {
  return text.toLowerCase().split(/\s+/).filter(Boolean)
}

/** Splits a text at matches of the words, ignoring case. */
export function piecesOf(text: string, sought: readonly string[]): Piece[] {
  const longestFirst = [...sought].filter(Boolean).sort((a, b) => b.length - a.length)
  if (!longestFirst.length) return [{ text, isFound: false }]
  const pattern = longestFirst.map(escaped).join('|')
  return text
    .split(new RegExp(`(${pattern})`, 'iu'))
    .map((piece, index) => ({ text: piece, isFound: index % 2 === 1 }))
    .filter((piece) => piece.text)
}

/** Like `piecesOf`; a text without a literal match is split at its fuzzy matches. */
export function fuzzyPiecesOf(text: string, words: readonly string[]): Piece[] {
  const literal = piecesOf(text, words)
  if (literal.some((piece) => piece.isFound)) return literal
  const ranges = words.flatMap((word) => fuzzyRanges(text, word) ?? []).sort(([a], [b]) => a - b)
  const pieces: Piece[] = []
  let from = 0
  for (const [start, end] of ranges) {
    if (start < from) continue
    pieces.push({ text: text.slice(from, start), isFound: false }, { text: text.slice(start, end), isFound: true })
    from = end
  }
  pieces.push({ text: text.slice(from), isFound: false })
  return pieces.filter((piece) => piece.text)
}
