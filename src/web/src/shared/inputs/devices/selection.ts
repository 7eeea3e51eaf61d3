import type { DeviceFilters, DeviceItem } from '@/api/inventory'

/** `MikroTik CCR2004, 192.0.2.1, fra`. */
export function aboutDevice({ vendor, model, address, site }: Pick<DeviceItem, 'vendor' | 'model' | 'address' | 'site'>): string {
  return [[vendor, model].filter(Boolean).join(' '), address, site].filter(Boolean).join(', ')
}

/** The selection with one more part; `all` is everything. A list is what a run before was for. */
export function withPart(selection: string, part: string): string {
  if (!part) return selection
  if (part === 'all') return part
  const text = selection.trim()
  if (!text || text === 'all' || text.startsWith('[')) return part
  const parts = text.split(',').map((one) => one.trim()).filter(Boolean)
  return parts.includes(part) ? parts.join(', ') : [...parts, part].join(', ')
}

export interface OptionGroup {
  title: string
  options: { value: string; text: string }[]
}

/** What a selection can be made of. */
export function optionsOf(counts: DeviceFilters | undefined, devices: readonly DeviceItem[]): OptionGroup[] {
  const of = (title: string, prefix: string, values: DeviceFilters['tags']) => ({
    title,
    options: values.map(({ value, devices: number }) => ({ value: `${prefix}:${value}`, text: `${value} (${number})` })),
  })
  const groups = [
    { title: 'Everything', options: [{ value: 'all', text: 'all' }] },
    of('Tags', 'tag', counts?.tags ?? []),
    of('Sites', 'site', counts?.sites ?? []),
    of('Groups', 'group', counts?.groups ?? []),
    { title: 'Devices', options: devices.map(({ name }) => ({ value: name, text: name })) },
  ]
  return groups.filter(({ options }) => options.length)
}
