import { expect, it } from 'vitest'
import type { ListedRunbook } from '@/api/runbooks'
import { allowed, matching, rowKey, rowsOf } from './grouping'

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

it.each([
  ['push', ['net/Push.md']],
  ['NET pull', ['net/Pull.md']],
  ['configuration', ['net/Push.md']],
  ['nothing', []],
  ['', RUNBOOKS.map((runbook) => runbook.path)],
])('finds by %j', (text, paths) => {
  expect(matching(RUNBOOKS, text).map((runbook) => runbook.path)).toEqual(paths)
})

it('adds what the server found in texts, and keeps the order', () => {
  expect(matching(RUNBOOKS, 'top', new Map([['net/Pull.md', null]])).map((one) => one.path)).toEqual(['Top.md', 'net/Pull.md'])
})

it('tells what one may execute', () => {
  const runbooks = [listed('A.md'), { ...listed('B.md'), executable: false }, { ...listed('C.md'), valid: false }]
  expect(allowed(runbooks, 'mine').map((one) => one.path)).toEqual(['A.md'])
  expect(allowed(runbooks, 'all')).toHaveLength(3)
})
