import { expect, it } from 'vitest'
import type { DeviceFilters, DeviceItem } from '@/api/inventory'
import { aboutDevice, optionsOf, withPart } from './selection'

const device = { name: 'edge-1', vendor: 'MikroTik', model: '', address: '192.0.2.1', site: 'fra' } as DeviceItem

it('says what a device is', () => {
  expect(aboutDevice(device)).toBe('MikroTik, 192.0.2.1, fra')
})

it('adds parts to a selection, each once', () => {
  expect(withPart('', 'tag:core')).toBe('tag:core')
  expect(withPart('edge-1,', 'tag:core')).toBe('edge-1, tag:core')
  expect(withPart('edge-1, tag:core', 'tag:core')).toBe('edge-1, tag:core')
  expect(withPart('edge-1', 'all')).toBe('all')
  expect(withPart('all', 'edge-1')).toBe('edge-1')
  expect(withPart('["edge-1"]', 'edge-2')).toBe('edge-2')
  expect(withPart('edge-1', '')).toBe('edge-1')
})

it('offers what devices have', () => {
  const counts = { devices: 1, tags: [{ value: 'core', devices: 1 }], sites: [], groups: [], vendors: [], connections: [] }
  const groups = optionsOf(counts satisfies DeviceFilters, [device])
  expect(groups.map(({ title }) => title)).toEqual(['Everything', 'Tags', 'Devices'])
  expect(groups[1]?.options).toEqual([{ value: 'tag:core', text: 'core (1)' }])
  expect(optionsOf(undefined, [])).toHaveLength(1)
})
