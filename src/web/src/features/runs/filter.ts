import type { LocationQuery, LocationQueryRaw } from 'vue-router'
import type { RunFilter } from '@/api/runs'

/** What the list is filtered by, as it stands in the address and as the server takes it. */
export const FIELDS = [
  'q',
  'status',
  'runbook',
  'who',
  'since',
  'until',
  'relation',
  'dry_run',
  'active',
] as const
export type Field = (typeof FIELDS)[number]
export type Filter = Partial<Record<Field, string>>

/** Those that are out of sight until someone asks for more. */
export const MORE: readonly Field[] = ['who', 'since', 'until', 'relation', 'dry_run']

export function readFilter(query: LocationQuery): Filter {
  const filter: Filter = {}
  for (const field of FIELDS) {
    const value = query[field]
    if (typeof value === 'string' && value !== '') filter[field] = value
  }
  return filter
}

/** The query with these fields set, or taken away where they are empty. */
export function withFilter(query: LocationQuery, changed: Filter): LocationQueryRaw {
  const entries = Object.entries(changed).map(([field, value]) => [field, value || undefined])
  return { ...query, ...Object.fromEntries(entries) }
}

export function withoutFilter(query: LocationQuery): LocationQueryRaw {
  return withFilter(query, Object.fromEntries(FIELDS.map((field) => [field, ''])))
}

/** A moment of an input of the type datetime-local, which is meant in the browser's own zone. */
export function toMoment(local: string): string {
  const date = new Date(local)
  return local === '' || Number.isNaN(date.getTime()) ? '' : date.toISOString().slice(0, 19) + 'Z'
}

export function toLocal(moment: string | undefined): string {
  const date = new Date(moment ?? '')
  if (Number.isNaN(date.getTime())) return ''
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`
}

export function toServer(filter: Filter, limit: number): RunFilter {
  return { ...filter, limit }
}
