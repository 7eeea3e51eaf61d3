import { expect, it } from 'vitest'
import { freshnessOf } from './freshness'

const NOW = Date.parse('2026-03-01T00:00:00Z')

it.each([
  [null, 'never'],
  [undefined, 'never'],
  ['2026-02-28T00:00:00Z', 'fresh'],
  ['2026-01-30T00:00:00Z', 'fresh'],
  ['2026-01-29T23:59:59Z', 'stale'],
])('calls a last success at %s %s', (at, freshness) => {
  expect(freshnessOf(at, NOW)).toBe(freshness)
})
