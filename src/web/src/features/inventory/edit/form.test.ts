import { expect, it } from 'vitest'
import type { Device, DeviceFilters } from '@/api/inventory'
import { atFields, changedFields, deviceFields, startOf, wordsOf } from './form'

const device = {
  name: 'edge-1', connection: 'routers', address: '192.0.2.1', site: 'fra', role: '', vendor: 'MikroTik', model: '',
  version: '7.18', tags: ['core', 'edge'], groups: [], revision: 3,
} as unknown as Device

it('has a name only as long as the device is new, and says which words are in use', () => {
  const counts = { tags: [{ value: 'core', devices: 2 }], groups: [], sites: [], vendors: [] } as unknown as DeviceFilters
  const fields = deviceFields(true, ['routers'], counts)
  expect(fields.filter(({ required }) => required).map(({ name }) => name)).toEqual(['name'])
  expect(fields.find(({ name }) => name === 'connection')?.choices).toEqual(['routers'])
  expect(fields.find(({ name }) => name === 'tags')?.note).toBe('In use: core')
  expect(deviceFields(false, [], undefined).map(({ name }) => name)).not.toContain('name')
})

it('sends only what was changed, with lists as lists', () => {
  const before = startOf(device)
  expect(changedFields(before, before)).toEqual({})
  expect(changedFields(before, { ...before, site: '', tags: 'core; new', address: ' 192.0.2.9 ' })).toEqual({
    site: null, tags: ['core', 'new'], address: '192.0.2.9',
  })
  expect(changedFields({}, { name: 'edge-2', site: '', tags: 'a' })).toEqual({ tags: ['a'] })
  expect(wordsOf(' a,, b ;')).toEqual(['a', 'b'])
})

it('puts each problem at its field', () => {
  const problem = (code: string, params: object) => ({ code, params, message: 'm', hint: null }) as never
  const found = atFields([problem('bad_device_name', { device: 'X' }), problem('bad_device_field', { field: 'site' })])
  expect(found.map(({ params }) => params.variable)).toEqual(['name', 'site'])
})
