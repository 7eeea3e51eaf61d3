import { expect, it } from 'vitest'
import { withMoment } from './runs'

const NOW = Date.parse('2026-01-23T14:33:02.500Z')

it.each([
  ['1h', '2026-01-23T13:33:02Z'],
  ['24h', '2026-01-22T14:33:02Z'],
  ['7d', '2026-01-16T14:33:02Z'],
  ['2026-01-01', '2026-01-01'],
  ['soon', 'soon'],
])('asks for runs since %s', (since, expected) => {
  expect(withMoment({ who: 'ann', since }, NOW)).toEqual({ who: 'ann', since: expected })
})

it('leaves a filter without a time alone', () => {
  expect(withMoment({ q: 'x' }, NOW)).toEqual({ q: 'x' })
})
