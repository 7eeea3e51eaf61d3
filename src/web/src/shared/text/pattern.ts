/** The text as part of a regular expression with the flag `u`, which allows no other escapes. */
export function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
