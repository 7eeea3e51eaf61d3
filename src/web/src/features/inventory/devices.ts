import type { LocationQuery } from 'vue-router'
import type { Device, DeviceFilter, DeviceItem } from '@/api/inventory'

export const CHOICES = [
  { name: 'tag', title: 'tags', all: 'All tags' },
  { name: 'site', title: 'sites', all: 'All sites' },
  { name: 'group', title: 'groups', all: 'All groups' },
  { name: 'vendor', title: 'vendors', all: 'All vendors' },
] as const

/** The filter in a URL. */
export function readFilter(query: LocationQuery): DeviceFilter {
  const names = ['q', ...CHOICES.map(({ name }) => name), 'connection'] as const
  const given = names.map((name) => [name, String(query[name] ?? '')] as const).filter(([, text]) => text)
  return Object.fromEntries(given)
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
export function momentsOf(device: Pick<Device, 'last_seen' | 'last_poll' | 'last_backup' | 'last_proof'>): Moment[] {
  return [
    { title: 'Last seen', at: device.last_seen, never: 'Never' },
    { title: 'Last poll', at: device.last_poll, never: 'Never' },
    { title: 'Last backup', at: device.last_backup, never: 'Never' },
    { title: 'Last proof', at: device.last_proof, never: 'No backup was restored and compared' },
  ]
}

/** Facts as lines: nested ones as JSON. */
export function factLines(facts: Record<string, unknown>): { name: string; text: string }[] {
  return Object.entries(facts).map(([name, value]) => ({
    name,
    text: typeof value === 'string' ? value : JSON.stringify(value),
  }))
}
