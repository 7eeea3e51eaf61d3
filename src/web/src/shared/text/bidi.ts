/**
 * Characters that nobody sees and that turn the direction of what follows: with them, text can
 * look like another one (CVE-2021-42574). Marks of direction, which right-to-left text needs, are not among them.
 */
export const BIDI_CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g

/** What is shown in place of such a character. */
export function codePointName(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}

export const BIDI_CONTROL_TITLE = 'A hidden character that turns the direction of text'

/** A piece of a text: `control` names the character where it is one that turns. */
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
