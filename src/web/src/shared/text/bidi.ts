/**
 * Invisible characters that change the direction of the text after them, so that code can look
 * different from what runs (CVE-2021-42574). Excludes direction marks, which right-to-left text needs.
 */
export const BIDI_CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g

/** The name to show instead of such a character. */
export function codePointName(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}

export const BIDI_CONTROL_TITLE = 'Hidden character that changes text direction'

/** A piece of text; `control` names the character if the piece is a direction control. */
export interface Piece {
  text: string
  control: string | null
}

export function piecesOf(text: string): Piece[] {
  return text
    .split(/([\u202a-\u202e\u2066-\u2069])/)
    .filter(Boolean)
    .map((piece) => ({ text: piece, control: piece.search(BIDI_CONTROLS) < 0 ? null : codePointName(piece) }))
}
