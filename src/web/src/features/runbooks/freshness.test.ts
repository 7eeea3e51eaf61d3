import { expect, it } from 'vitest'
import type { ListedRunbook } from '@/api/runbooks'
import { freshnessOf } from './freshness'

const NOW = Date.parse('2026-03-01T00:00:00Z')

function listed(status: 'succeeded' | 'failed' | null, successAt: string | null): ListedRunbook {
  return {
    filename: 'A.md', path: 'A.md', name: 'A', description: '', valid: true, executable: true,
    missing_claims: [], requirements: [], tags: [], owner: null, steps: 1, dry_run: false,
    last_run: status && { id: 'x', status, finished_at: null, by: 'ann', last_success_at: successAt },
  }
}

it.each([
  [null, null, 'Never run', false],
  ['failed', null, 'Never succeeded', true],
  ['failed', '2026-02-28T00:00:00Z', 'Last success', false],
  ['failed', '2026-01-20T00:00:00Z', 'No success in 40 days', true],
  ['succeeded', '2026-01-30T00:00:00Z', 'No success in 30 days', true],
] as const)('says of a last run that %s and a success at %s: %s', (status, at, text, isDoubtful) => {
  expect(freshnessOf(listed(status, at), NOW)).toMatchObject({ text, isDoubtful })
})

it('adds nothing to a last run that says it all, or where runs are not shown', () => {
  expect(freshnessOf(listed('succeeded', '2026-02-28T00:00:00Z'), NOW)).toBeNull()
  expect(freshnessOf({ ...listed(null, null), executable: false }, NOW)).toBeNull()
})
