import { preferences, type Zone } from '@/shared/storage/preferences'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** `2026-01-23 14:33:02`, in the chosen time zone; UTC is marked. */
export function formatTime(iso: string, zone: Zone = preferences.zone): string {
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return iso
  if (zone === 'utc') return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** The time with its zone, and in UTC: `2026-01-23 15:33:02 GMT+1 (2026-01-23T14:33:02Z)`. */
export function formatWhole(iso: string, zone: Zone = preferences.zone): string {
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return iso
  const offset = zone === 'utc' ? '' : ` ${offsetName(date)}`
  return `${formatTime(iso, zone)}${offset} (${iso})`
}

/** `GMT+1`, the offset at that time. */
function offsetName(date: Date): string {
  const parts = new Intl.DateTimeFormat('en', { timeZoneName: 'shortOffset' }).formatToParts(date)
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? ''
}

/** The name of the chosen time zone: `UTC`, `Berlin time`. */
export function zoneName(zone: Zone = preferences.zone): string {
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone
  const place = name.split('/').at(-1)?.replaceAll('_', ' ') ?? ''
  return zone === 'utc' || place === 'UTC' ? 'UTC' : `${place || 'local'} time`
}

/** `just now`, `5 min ago`, `3 h ago`, `2 d ago`; older ones as a date. */
export function formatAgo(iso: string, now = Date.now(), zone: Zone = preferences.zone): string {
  const age = now - new Date(iso).getTime()
  if (age < MINUTE) return 'just now'
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min ago`
  if (age < DAY) return `${Math.floor(age / HOUR)} h ago`
  if (age < 30 * DAY) return `${Math.floor(age / DAY)} d ago`
  return formatTime(iso, zone).slice(0, 10)
}

/** `340 ms`, `4.2 s`, `3 m 05 s`, `2 h 07 m`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const two = (value: number) => String(value).padStart(2, '0')
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`
  const minutes = Math.floor(seconds / 60)
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`
}

/** Elapsed time in whole seconds, for a live counter. */
export function formatLasted(since: string, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1000))
  return seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1000)
}

/** `90 s`, `5 min`, `1 h 30 min`: configured time spans. */
export function spanText(seconds: number): string {
  const units: [string, number][] = [['d', 86_400], ['h', 3_600], ['min', 60]]
  const parts: string[] = []
  let rest = seconds
  for (const [unit, length] of units) {
    const count = Math.floor(rest / length)
    if (count) parts.push(`${count} ${unit}`)
    rest -= count * length
  }
  if (rest || !parts.length) parts.push(`${Number(rest.toFixed(3))} s`)
  return parts.join(' ')
}
