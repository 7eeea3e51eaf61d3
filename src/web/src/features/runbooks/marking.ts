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
  const pattern = longestFirst.map((one) => one.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|')
  return text
    .split(new RegExp(`(${pattern})`, 'iu'))
    .map((piece, index) => ({ text: piece, isFound: index % 2 === 1 }))
    .filter((piece) => piece.text)
}
