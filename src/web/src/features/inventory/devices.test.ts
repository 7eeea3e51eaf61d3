import { expect, it } from 'vitest'
import { factLines, makeOf, momentsOf, nextSort, proofOf, readFilter, readSort } from './devices'

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
})
