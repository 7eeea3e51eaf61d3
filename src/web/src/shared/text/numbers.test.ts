import { expect, it } from 'vitest'
import { formatCount, formatSize } from './numbers'

it('writes counts and sizes as people read them', () => {
  expect([5001, 100_000].map(formatCount)).toEqual(['5001', '100,000'])
  expect([7, 1500, 2_500_000].map(formatSize)).toEqual(['7 B', '1.5 KB', '2.5 MB'])
})
