import { expect, it } from 'vitest'
import { formatElapsed, hashOf, rangesOf, readGoTo, readHash } from './lines'

it('reads and writes addresses of lines', () => {
  expect(readHash('#L120')).toEqual({ first: 120, last: 120 })
  expect(readHash('#L140-L120')).toEqual({ first: 120, last: 140 })
  expect([readHash('#L0'), readHash('#x'), readHash('')]).toEqual([null, null, null])
  expect(['#L7', '#L7-L9'].map((hash) => hashOf(readHash(hash)))).toEqual(['#L7', '#L7-L9'])
  expect([readGoTo(':7-9'), readGoTo('7')]).toEqual([{ first: 7, last: 9 }, null])
})

it('puts numbers that follow each other together', () => {
  expect(rangesOf([1, 2, 3, 7, 9, 10])).toEqual([
    { first: 1, last: 3 },
    { first: 7, last: 7 },
    { first: 9, last: 10 },
  ])
  expect(rangesOf([])).toEqual([])
})

it('says times shortly', () => {
  expect([0, 3210, 723_000, 3_723_000].map(formatElapsed)).toEqual([
    '0:00.0',
    '0:03.2',
    '12:03.0',
    '1:02:03',
  ])
})
