/** From one character up to, but not including, another. */
export type Range = readonly [start: number, end: number]

const LEAST_LETTERS = 3
/** Letters in a row that count although no word starts with them. */
const LEAST_INSIDE = 3

interface Begun {
  end: number
  ranges: readonly Range[]
}

/**
 * The parts of a text that make up a word in order, as `pgfail` does in `pg-failover`; null if there
 * are none. Each part starts a word, or is at least three letters long: letters that merely happen to
 * follow one another somewhere are no match.
 */
export function fuzzyRanges(text: string, word: string): readonly Range[] | null {
  if (word.length < LEAST_LETTERS) return null
  const isStart = wordStarts(text)
  const letters = text.split('').map((one) => one.toLowerCase())
  // For each number of letters of the word, the match that ends first: it leaves most to the rest.
  const best: (Begun | undefined)[] = [{ end: 0, ranges: [] }]
  for (let done = 0; done < word.length; done += 1) {
    const before = best[done]
    if (!before) continue
    for (let start = before.end; start < letters.length; start += 1) {
      for (let length = 1; letters[start + length - 1] === word[done + length - 1]; length += 1) {
        if (done + length > word.length || start + length > letters.length) break
        if (!isStart[start] && length < LEAST_INSIDE) continue
        const end = start + length
        const known = best[done + length]
        if (!known || end < known.end) {
          best[done + length] = { end, ranges: [...before.ranges, [start, end]] }
        }
      }
    }
  }
  return best[word.length]?.ranges ?? null
}

/** Whether a word starts at each character: after punctuation, or with a capital or a digit. */
function wordStarts(text: string): boolean[] {
  return Array.from({ length: text.length }, (_, at) => {
    const [before, here] = [text[at - 1] ?? ' ', text[at] ?? ' ']
    if (!/[\p{L}\p{N}]/u.test(here)) return false
    if (!/[\p{L}\p{N}]/u.test(before)) return true
    const isCapital = /\p{Lu}/u.test(here) && !/\p{Lu}/u.test(before)
    return isCapital || /\p{N}/u.test(here) !== /\p{N}/u.test(before)
  })
}
