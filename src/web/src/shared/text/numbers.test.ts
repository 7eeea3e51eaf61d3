import { expect, it } from 'vitest'
import { counted, formatCount, formatSize } from './numbers'

it('counts things', () => {
  expect([counted(1, 'line'), counted(0, 'line'), counted(20_000, 'match', 'matches')]).toEqual(['1 line', '0 lines', '20,000 matches'])
})

it('writes counts and sizes as people read them', () => {
  expect([5001, 100_000].map(formatCount)).toEqual(['5001', '100,000'])
  expect([7, 1500, 2_500_000].map(formatSize)).toEqual(['7 B', '1.5 KB', '2.5 MB'])
})
