/** A row of an editor of names and texts. */
export interface Pair {
  /** Stays while the row is edited. */
  key: number
  name: string
  text: string
}

let last = 0

export function newPair(name = '', text = ''): Pair {
  last += 1
  return { key: last, name, text }
}

export function claimPairs(claims: Record<string, string[]>): Pair[] {
  return Object.entries(claims).map(([name, allowed]) => newPair(name, allowed.join(', ')))
}

export function labelPairs(labels: Record<string, string>): Pair[] {
  return Object.entries(labels).map(([name, value]) => newPair(name, value))
}

const isBlank = ({ name, text }: Pair) => !name.trim() && !text.trim()

export function labelsOf(pairs: readonly Pair[]): Record<string, string> {
  const given = pairs.filter((pair) => !isBlank(pair))
  return Object.fromEntries(given.map(({ name, text }) => [name.trim(), text.trim()]))
}

export function claimsOf(pairs: readonly Pair[]): Record<string, string[]> {
  const split = (text: string) => text.split(',').map((one) => one.trim()).filter(Boolean)
  return Object.fromEntries(Object.entries(labelsOf(pairs)).map(([name, text]) => [name, split(text)]))
}

/** What is wrong in each row, by its key. `needsText` for claims: without values, nobody would meet them. */
export function pairFaults(pairs: readonly Pair[], needsText: boolean): Record<number, string> {
  const faults: Record<number, string> = {}
  const seen = new Set<string>()
  for (const pair of pairs) {
    if (isBlank(pair)) continue
    const name = pair.name.trim()
    if (!name) faults[pair.key] = 'A name is required'
    else if (seen.has(name)) faults[pair.key] = `${name} is given twice`
    else if (needsText && !claimsOf([pair])[name]?.length) faults[pair.key] = 'At least one value is required'
    seen.add(name)
  }
  return faults
}
