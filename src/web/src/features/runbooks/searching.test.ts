import { expect, it } from 'vitest'
import type { ListedRunbook } from '@/api/runbooks'
import { fuzzyRanges } from './fuzzy'
import { searched } from './searching'

function listed(path: string, name: string, description = ''): ListedRunbook {
  return {
    filename: path, path, name, description, valid: true, executable: true, missing_claims: [], requirements: [], tags: [], owner: null,
    steps: 1, dry_run: false, last_run: null,
  }
}

const RUNBOOKS = [
  listed('a/Script.md', 'Nightly job'),
  listed('b/Described.md', 'Report', 'Checks the failover of the database'),
  listed('failover/Other.md', 'Other'),
  listed('c/pg.md', 'Practise a pg-failover'),
  listed('d/pg.md', 'pg-failover'),
  listed('e/Exact.md', 'Failover'),
]
const hits = (text: string, byServer?: Map<string, unknown>) =>
  searched(RUNBOOKS, text, byServer).map(({ runbook, place }) => [runbook.path, place])

it('ranks the name before the path, the description and the script', () => {
  const byServer = new Map(RUNBOOKS.map((runbook) => [runbook.path, null]))
  expect(hits('failover', byServer)).toEqual([
    ['e/Exact.md', 'name'],
    ['c/pg.md', 'name'],
    ['d/pg.md', 'name'],
    ['failover/Other.md', 'path'],
    ['b/Described.md', 'description'],
    ['a/Script.md', 'script'],
  ])
})

it('wants every word, wherever it is', () => {
  expect(hits('d/ FAILOVER')).toEqual([['d/pg.md', 'path']])
  expect(hits('failover nothing')).toEqual([])
})

it.each([
  ['pgfail', ['c/pg.md', 'd/pg.md']],
  ['pgfover', ['c/pg.md', 'd/pg.md']],
  ['pgfo', []],
  ['nightjob', ['a/Script.md']],
  ['failother', ['failover/Other.md']],
  ['pf', []],
])('finds %s by parts of words', (text, paths) => {
  expect(hits(text).map(([path]) => path)).toEqual(paths)
})

it.each([
  ['pg-failover', 'pgfail', ['pg', 'fail']],
  ['RotateCertificates', 'rotcert', ['Rot', 'Cert']],
  ['Update web2 hosts', 'up2hosts', ['Up', '2', 'hosts']],
  ['Pages of all illnesses', 'pgfail', null],
  ['Straße', 'straße', ['Straße']],
  ['😀 pg-failover', 'pgfail', ['pg', 'fail']],
  ['', 'abc', null],
])('in %j, %s is %j', (text, word, parts) => {
  expect(fuzzyRanges(text, word)?.map(([start, end]) => text.slice(start, end)) ?? null).toEqual(parts)
})

it('finds words with signs, anywhere in a text', () => {
  expect(hits('pg-failover').map(([path]) => path)).toEqual(['d/pg.md', 'c/pg.md'])
  expect(hits('(pg-failover/')).toEqual([])
})
