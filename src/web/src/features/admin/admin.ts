import type { Schemas } from '@/api/client'
import { formatTime } from '@/shared/time'

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
const MOMENTS = ['exp', 'iat', 'nbf', 'auth_time']

export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`
}

/** A claim as text; those that are moments also as a time. */
export function claimText(name: string, value: unknown): string {
  if (typeof value === 'number' && MOMENTS.includes(name)) {
    return `${value} (${formatTime(new Date(value * 1000).toISOString())})`
  }
  if (Array.isArray(value)) return value.map((item) => claimText('', item)).join(', ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

export function matchingSettings(
  items: readonly Schemas['ConfigItem'][],
  text: string,
  onlySet: boolean,
): Schemas['ConfigItem'][] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return items.filter((item) => {
    const all = `${item.name} ${item.value}`.toLowerCase()
    return (!onlySet || item.from !== 'default') && words.every((word) => all.includes(word))
  })
}
