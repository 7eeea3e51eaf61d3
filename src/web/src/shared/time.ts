import { preferences, type Zone } from './preferences'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** `2026-01-23 14:33:02`, in the zone that was chosen; UTC is marked. */
export function formatTime(iso: string, zone: Zone = preferences.zone): string {
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return iso
  if (zone === 'utc') return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
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
