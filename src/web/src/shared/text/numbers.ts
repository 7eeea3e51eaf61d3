/** Below ten thousand without a comma. */
export function formatCount(n: number): string {
  return n < 10_000 ? String(n) : n.toLocaleString('en')
}

/** `1 line`, `5001 lines`. */
export function counted(n: number, word: string, plural = `${word}s`): string {
  return `${formatCount(n)} ${n === 1 ? word : plural}`
}

export function formatSize(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB']
  let value = bytes
  let at = 0
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000
    at += 1
  }
  return `${at === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[at]}`
}
