import { expect, it } from 'vitest'
import type { DeviceFilters } from '@/api/inventory'
import { CHOICES, factLines, makeOf, momentsOf, nextSort, optionsOf, pollOf, proofOf, readFilter, readSort } from './devices'

it('reads what devices can be filtered by, and nothing else', () => {
  expect(readFilter({ q: 'edge', tag: 'core', site: '', other: '1', connection: 'lab' })).toEqual({
    q: 'edge', tag: 'core', connection: 'lab',
  })
})

it('says what a device is, and when it was dealt with', () => {
  expect(makeOf({ vendor: 'MikroTik', model: '', version: '7.18' })).toBe('MikroTik 7.18')
  const at = '2026-01-31T08:00:00Z'
  const moments = momentsOf({ last_seen: at, last_poll: null, last_backup: null })
  expect(moments.map((one) => one.at)).toEqual([at, null, null])
})

it('sorts by what needs care, then the other way round', () => {
  expect([readSort({ sort: '-last_seen' }), readSort({ sort: 'other' }), readSort({})]).toEqual(['-last_seen', 'name', 'name'])
  expect(nextSort('last_proof', 'name')).toBe('last_proof')
  expect(nextSort('last_proof', 'last_proof')).toBe('-last_proof')
  expect(nextSort('last_proof', '-last_proof')).toBe('last_proof')
  expect(nextSort('name', 'last_seen')).toBe('name')
})

it('trusts a backup only once it was proven, and not when it is damaged', () => {
  const at = '2026-01-31T08:00:00Z'
  const of = (backup: string | null, proof: string | null, damage: string | null) =>
    proofOf({ last_backup: backup, last_proof: proof, last_damage: damage })
  expect(of(null, null, null)).toBe('none')
  expect(of(at, null, null)).toBe('unproven')
  expect(of(at, at, null)).toBe('proven')
  expect(of(at, at, at)).toBe('damaged')
  expect(of(null, null, at)).toBe('damaged')
})

it('shows facts as lines, and rows as tables', () => {
  const facts = { board: 'CCR', cpu: { load: 3, cores: 4 }, up: true, none: {}, mixed: [1, { a: 1 }] }
  expect(factLines(facts).map(({ text }) => text)).toEqual(['CCR', 'load: 3, cores: 4', 'true', '', '[1,{"a":1}]'])
  expect(factLines(facts).map(({ rows }) => rows)).toEqual([null, null, null, null, null])
  expect(factLines({ interfaces: { ether1: { rx: 1 }, ether2: { rx: 2 } }, disks: [{ slot: 1 }] }).map(({ rows }) => rows)).toEqual([
    [{ name: 'ether1', rx: 1 }, { name: 'ether2', rx: 2 }], [{ slot: 1 }],
  ])
  expect(factLines({ warnings: ['full', 'hot'] })[0]?.text).toBe('full, hot')
  const times = { polled_at: 1769846400, changed_at: '2026-01-31T08:00:00Z', at_site: 'fra', expires_at: 'never' }
  expect(factLines(times).map((one) => one.at)).toEqual(['2026-01-31T08:00:00.000Z', '2026-01-31T08:00:00.000Z', null, null])
})

it('tells what the last poll said', () => {
  expect(pollOf({ facts: { state: 'offline', reason: 'timeout' } })).toEqual({ isOnline: false, reason: 'timeout' })
  expect(pollOf({ facts: { state: 'online' } })).toEqual({ isOnline: true, reason: '' })
  expect([pollOf({ facts: {} }), pollOf({ facts: { state: 'degraded' } })]).toEqual([null, null])
})

it('offers what devices have, and what the URL has', () => {
  const counts = { sites: [{ value: 'fra', devices: 2 }] } as DeviceFilters
  const values = (value: string, given?: DeviceFilters) => optionsOf(CHOICES[1], given, value).map((one) => one.value)
  expect([values('fra', counts), values('ber', counts), values('ber')]).toEqual([['', 'fra'], ['', 'ber', 'fra'], ['', 'ber']])
})
