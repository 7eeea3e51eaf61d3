/** The text, or as many of its words as fit, with an ellipsis. Only a word too long alone is cut. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text
  const cut = text.slice(0, most + 1)
  const end = cut.search(/\s+\S*$/)
  return `${(end > 0 ? cut.slice(0, end) : text.slice(0, most)).replace(/[\s,;:.]+$/, '')}…`
}

/** The text, or as many of its words as are at most this wide, with an ellipsis. Only a word too wide alone is cut. */
export function fitting(text: string, width: number, widthOf: (text: string) => number): string {
  if (widthOf(text) <= width) return text
  let [low, high] = [0, text.length - 1]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (widthOf(shortened(text, middle)) <= width) low = middle
    else high = middle - 1
  }
  return shortened(text, low)
}
