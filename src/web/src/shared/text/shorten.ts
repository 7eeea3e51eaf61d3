/** The text, or as many of its words as fit, with an ellipsis. Only a word too long alone is cut. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text
  const cut = text.slice(0, most + 1)
  const end = cut.search(/\s+\S*$/)
  return `${(end > 0 ? cut.slice(0, end) : text.slice(0, most)).replace(/[\s,;:.]+$/, '')}…`
}
