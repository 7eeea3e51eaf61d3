import { expect, it } from 'vitest'
import { factLines, makeOf, momentsOf, readFilter } from './devices'

it('reads what devices can be filtered by, and nothing else', () => {
  expect(readFilter({ q: 'edge', tag: 'core', site: '', other: '1', connection: 'lab' })).toEqual({
    q: 'edge', tag: 'core', connection: 'lab',
  })
})

it('says what a device is, and when it was dealt with', () => {
  expect(makeOf({ vendor: 'MikroTik', model: '', version: '7.18' })).toBe('MikroTik 7.18')
  const at = '2026-01-31T08:00:00Z'
  const moments = momentsOf({ last_seen: at, last_poll: null, last_backup: null, last_proof: null })
  expect(moments.map((one) => one.at)).toEqual([at, null, null, null])
})

it('shows facts as lines', () => {
  expect(factLines({ board: 'CCR', cpu: { load: 3 }, up: true })).toEqual([
    { name: 'board', text: 'CCR' }, { name: 'cpu', text: '{"load":3}' }, { name: 'up', text: 'true' },
  ])
})
