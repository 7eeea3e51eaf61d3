import type { Schemas } from '@/api/client'
import { formatTime, spanText } from '@/shared/time/format'

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
const MOMENTS = ['exp', 'iat', 'nbf', 'auth_time']

export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${Number(value.toFixed(1))} ${UNITS[unit]}`
}

/** How a server isolates scripts. */
export function isolationText(isolation: Schemas['Isolation']): string {
  const mode = isolation.mode === 'bwrap' ? 'Sandbox' : 'No sandbox'
  return isolation.user ? `${mode}, as ${isolation.user}` : mode
}

const SECONDS: Record<string, number> = { SECONDS: 1, MINUTES: 60, DAYS: 86_400 }

/** A size or time span in readable units; null for other settings and for 0. */
export function readable(name: string, value: string): string | null {
  const number = Number(value)
  if (value.trim() === '' || !Number.isFinite(number) || number <= 0) return null
  const unit = name.split('_').at(-1) ?? ''
  if (unit === 'BYTES') return formatBytes(number)
  const seconds = SECONDS[unit]
  return seconds ? spanText(number * seconds) : null
}

/** A claim as text; timestamps also as a time. */
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
