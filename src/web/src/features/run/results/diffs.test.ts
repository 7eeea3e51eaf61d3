import { expect, it } from 'vitest'
import { diffsOf, LARGEST } from './diffs'

it('shows diffs that are not too large', () => {
  const artifact = (name: string, size: number) => ({ name, size, sha256: '' }) as never
  const artifacts = [
    artifact('changes.diff', 10), artifact('a/fix.PATCH', 10), artifact('diff.txt', 10),
    artifact('empty.diff', 0), artifact('large.diff', LARGEST + 1),
  ]
  expect(diffsOf({ artifacts })).toEqual(['changes.diff', 'a/fix.PATCH'])
})
