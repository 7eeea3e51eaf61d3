export interface Lines {
  first: number
  last: number
}

/** `#L120` and `#L120-L140`; null for anything else. */
export function readHash(hash: string): Lines | null {
  const match = /^#L(\d{1,9})(?:-L?(\d{1,9}))?$/.exec(hash)
  return match ? ordered(Number(match[1]), Number(match[2] ?? match[1])) : null
}

export function hashOf(lines: Lines | null): string {
  if (lines === null) return ''
  return lines.first === lines.last ? `#L${lines.first}` : `#L${lines.first}-L${lines.last}`
}

/** `:120` and `:120-140`, as they are typed into the search field. */
export function readGoTo(text: string): Lines | null {
  return text.startsWith(':') ? readHash(`#L${text.slice(1).trim()}`) : null
}

export function ordered(a: number, b: number): Lines | null {
  const first = Math.min(a, b)
  return first < 1 ? null : { first, last: Math.max(a, b) }
}

/** Ascending numbers as contiguous ranges. */
export function rangesOf(numbers: readonly number[]): Lines[] {
  const found: Lines[] = []
  for (const n of numbers) {
    const last = found.at(-1)
    if (last?.last === n - 1) last.last = n
    else found.push({ first: n, last: n })
  }
  return found
}

/** `+0:03.2`, `+12:03.2`, `+1:02:03`: time since the start. */
export function formatElapsed(ms: number): string {
  const tenths = Math.max(0, Math.floor(ms / 100))
  const seconds = Math.floor(tenths / 10)
  const two = (value: number) => String(value).padStart(2, '0')
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}.${tenths % 10}`
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`
}
