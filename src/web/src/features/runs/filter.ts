import type { LocationQuery, LocationQueryRaw } from 'vue-router'
import { isSpan, type RunFilter } from '@/api/runs'
import { preferences, type Zone } from '@/shared/storage/preferences'
import { formatTime } from '@/shared/time/format'

/** The filter fields, as named in the URL and in the API. */
export const FIELDS = [
  'q',
  'status',
  'runbook',
  'input',
  'who',
  'device',
  'since',
  'until',
  'relation',
  'dry_run',
  'active',
] as const
export type Field = (typeof FIELDS)[number]
export type Filter = Partial<Record<Field, string>>

/** Fields that are hidden until the user opens the filters. */
export const MORE: readonly Field[] = ['input', 'who', 'device', 'since', 'until', 'relation', 'dry_run']

/** Whether the fields that are hidden at first filter the list; a preset span has its own buttons. */
export function countMore(filter: Filter): number {
  return MORE.filter((field) => filter[field] && !isSpan(filter[field])).length
}

export function readFilter(query: LocationQuery): Filter {
  const filter: Filter = {}
  for (const field of FIELDS) {
    const value = query[field]
    if (typeof value === 'string' && value !== '') filter[field] = value
  }
  return filter
}

/** The query with these fields set, or removed if empty. */
export function withFilter(query: LocationQuery, changed: Filter): LocationQueryRaw {
  const entries = Object.entries(changed).map(([field, value]) => [field, value || undefined])
  return { ...query, ...Object.fromEntries(entries) }
}

export function withoutFilter(query: LocationQuery): LocationQueryRaw {
  return withFilter(query, Object.fromEntries(FIELDS.map((field) => [field, ''])))
}

/** The value of a datetime-local input, in the chosen time zone, as UTC. */
export function toMoment(typed: string, zone: Zone = preferences.zone): string {
  const date = new Date(zone === 'utc' && typed ? `${typed}Z` : typed)
  return typed === '' || Number.isNaN(date.getTime()) ? '' : date.toISOString().slice(0, 19) + 'Z'
}

export function toTyped(moment: string | undefined, zone: Zone = preferences.zone): string {
  const isMoment = moment !== undefined && !isSpan(moment) && !Number.isNaN(Date.parse(moment))
  return isMoment ? formatTime(moment, zone).slice(0, 16).replace(' ', 'T') : ''
}

export function toServer(filter: Filter, limit: number): RunFilter {
  return { ...filter, limit }
}
