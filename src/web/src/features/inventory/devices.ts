import type { LocationQuery } from 'vue-router'
import type { Device, DeviceFilter, DeviceFilters, DeviceItem, DeviceSort } from '@/api/inventory'
import { type JsonRow, jsonRows } from '@/shared/text/json-rows'

export const CHOICES = [
  { name: 'tag', title: 'tags', all: 'All tags' },
  { name: 'site', title: 'sites', all: 'All sites' },
  { name: 'group', title: 'groups', all: 'All groups' },
  { name: 'vendor', title: 'vendors', all: 'All vendors' },
] as const

/** What can be chosen: what devices have, and what the URL has. */
export function optionsOf({ title, all }: (typeof CHOICES)[number], counts: DeviceFilters | undefined, value: string) {
  const found = counts?.[title] ?? []
  const others = value && !found.some((one) => one.value === value) ? [{ value, text: value }] : []
  const known = found.map((one) => ({ value: one.value, text: `${one.value} (${one.devices})` }))
  return [{ value: '', text: all }, ...others, ...known]
}

/** The filter in a URL. */
export function readFilter(query: LocationQuery): DeviceFilter {
  const names = ['q', ...CHOICES.map(({ name }) => name), 'connection'] as const
  const given = names.map((name) => [name, String(query[name] ?? '')] as const).filter(([, text]) => text)
  return Object.fromEntries(given)
}

export const SORTS = [
  { value: 'name', text: 'Sort by name' },
  { value: '-last_seen', text: 'Seen last' },
  { value: 'last_seen', text: 'Not seen for longest' },
  { value: 'last_poll', text: 'Not polled for longest' },
  { value: '-last_poll', text: 'Polled last' },
  { value: 'last_backup', text: 'Not backed up for longest' },
  { value: '-last_backup', text: 'Backed up last' },
  { value: 'last_proof', text: 'Damaged or not proven first' },
  { value: '-last_proof', text: 'Proven last' },
] as const satisfies readonly { value: DeviceSort; text: string }[]

/** The order in a URL. */
export function readSort({ sort }: LocationQuery): NonNullable<DeviceSort> {
  return SORTS.find(({ value }) => value === sort)?.value ?? 'name'
}

export type TimeColumn = 'last_seen' | 'last_poll' | 'last_backup' | 'last_proof'

/** The order after a click on the head of a column: what needs care first, then the other way round. */
export function nextSort(column: 'name' | TimeColumn, sort: DeviceSort): NonNullable<DeviceSort> {
  if (column === 'name') return 'name'
  return sort === column ? `-${column}` : column
}

export type Proof = 'damaged' | 'proven' | 'unproven' | 'none'

/** What is known of a device's latest backup. */
export function proofOf(device: Pick<DeviceItem, 'last_backup' | 'last_proof' | 'last_damage'>): Proof {
  if (device.last_damage) return 'damaged'
  if (device.last_proof) return 'proven'
  return device.last_backup ? 'unproven' : 'none'
}

/** `MikroTik CCR2004 7.18`. */
export function makeOf({ vendor, model, version }: Pick<DeviceItem, 'vendor' | 'model' | 'version'>): string {
  return [vendor, model, version].filter(Boolean).join(' ')
}

export interface Moment {
  title: string
  at: string | null
  /** What its absence means. */
  never: string
}

/** When runs last dealt with a device. */
export function momentsOf(device: Pick<Device, 'last_seen' | 'last_poll' | 'last_backup'>): Moment[] {
  return [
    { title: 'Last seen', at: device.last_seen, never: 'Never' },
    { title: 'Last poll', at: device.last_poll, never: 'Never' },
    { title: 'Last backup', at: device.last_backup, never: 'Never' },
  ]
}

/** What the last poll said of a device: `offline`, and why. Null if none said anything. */
export function pollOf({ facts }: Pick<Device, 'facts'>): { isOnline: boolean; reason: string } | null {
  const { state, reason } = facts
  if (state !== 'online' && state !== 'offline') return null
  return { isOnline: state === 'online', reason: typeof reason === 'string' ? reason : '' }
}

export interface Fact {
  name: string
  text: string
  /** If it is a time: ISO 8601. */
  at: string | null
  /** What is better shown as a table. */
  rows: JsonRow[] | null
}

/** Facts as lines; lists and objects of rows as tables. */
export function factLines(facts: Record<string, unknown>): Fact[] {
  return Object.entries(facts).map(([name, value]) => ({ name, text: factText(value), at: timeOf(name, value), rows: rowsOf(value) }))
}

/** Seconds since 1970, or ISO 8601, of a fact such as `polled_at`. */
function timeOf(name: string, value: unknown): string | null {
  if (!name.endsWith('_at') || !value) return null
  const date = new Date(typeof value === 'number' ? 1000 * value : typeof value === 'string' ? value : NaN)
  return Number.isNaN(date.getTime()) ? null : date.toISOString()
}

function factText(value: unknown): string {
  if (isObject(value) && Object.values(value).every((one) => typeof one !== 'object')) {
    return Object.entries(value).map(([key, one]) => `${key}: ${String(one)}`).join(', ')
  }
  if (Array.isArray(value) && value.every((one) => typeof one !== 'object')) return value.map(String).join(', ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function rowsOf(value: unknown): JsonRow[] | null {
  if (Array.isArray(value)) return jsonRows(JSON.stringify(value))
  if (!isObject(value) || !Object.values(value).every(isObject)) return null
  return jsonRows(JSON.stringify(Object.entries(value).map(([name, row]) => ({ name, ...(row as JsonRow) }))))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
