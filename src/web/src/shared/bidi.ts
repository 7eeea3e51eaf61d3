/**
 * Characters that nobody sees and that turn the direction of what follows: with them, text can
 * look like another one (CVE-2021-42574). Marks of direction, which right-to-left text needs, are not among them.
 */
export const TURNS = /[\u202a-\u202e\u2066-\u2069]/g

/** What is shown in place of such a character. */
export function turnName(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}
