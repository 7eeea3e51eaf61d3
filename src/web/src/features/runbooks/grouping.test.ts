import { expect, it } from 'vitest'
import type { ListedRunbook } from '@/api/runbooks'
import { filtered, labelsOf, rowKey, rowsOf } from './grouping'

function listed(path: string, description = ''): ListedRunbook {
  const name = path.replace(/^.*\/|\.md$/g, '')
  return {
    filename: path, path, name, description, valid: true, executable: true, missing_claims: [], requirements: [], tags: [], owner: null,
    steps: 1, dry_run: false, last_run: null,
  }
}

const RUNBOOKS = [listed('net/Push.md', 'Pushes configuration'), listed('Top.md'), listed('net/Pull.md')]

it('puts the top first, then the folders', () => {
  expect(rowsOf(RUNBOOKS, new Set()).map(rowKey)).toEqual([
    'runbook Top.md', 'folder net', 'runbook net/Push.md', 'runbook net/Pull.md',
  ])
})

it('shows a closed folder without its runbooks, and how many they are', () => {
  const rows = rowsOf(RUNBOOKS, new Set(['net']))
  expect(rows.at(-1)).toEqual({ kind: 'folder', path: 'net', count: 2, isOpen: false })
})

const EVERY = { access: 'all', tags: [], owner: '' } as const

it('tells what one may execute', () => {
  const runbooks = [listed('A.md'), { ...listed('B.md'), executable: false }, { ...listed('C.md'), valid: false }]
  expect(filtered(runbooks, { ...EVERY, access: 'mine' }).map((one) => one.path)).toEqual(['A.md'])
  expect(filtered(runbooks, EVERY)).toHaveLength(3)
})

it('filters by all tags, and by the owner', () => {
  const runbooks = [
    { ...listed('A.md'), tags: ['Edge', 'db'], owner: 'Platform' },
    { ...listed('B.md'), tags: ['edge'], owner: 'Network' },
    listed('C.md'),
  ]
  const paths = (filter: object) => filtered(runbooks, { ...EVERY, ...filter }).map((one) => one.path)
  expect(paths({ tags: ['edge'] })).toEqual(['A.md', 'B.md'])
  expect(paths({ tags: ['DB', 'edge'] })).toEqual(['A.md'])
  expect(paths({ owner: 'network' })).toEqual(['B.md'])
  expect(paths({ owner: 'network', tags: ['db'] })).toEqual([])
  expect(labelsOf(runbooks)).toEqual({ tags: ['db', 'edge', 'Edge'], owners: ['Network', 'Platform'] })
})
