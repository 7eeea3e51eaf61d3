import { describe, expect, it } from 'vitest'
import { formatAgo, formatDuration, formatLasted, formatTime, formatWhole, spanText, zoneName } from './format'

describe('formatTime', () => {
  it('marks UTC', () => {
    expect(formatTime('2026-01-23T14:33:02.123Z', 'utc')).toBe('2026-01-23 14:33:02 UTC')
  })
  it('shows the local time otherwise', () => {
    const local = new Date(2026, 0, 3, 4, 5, 6)
    expect(formatTime(local.toISOString(), 'local')).toBe('2026-01-03 04:05:06')
  })
  it('leaves alone what is no time', () => {
    expect(formatTime('soon')).toBe('soon')
  })
})

it('names the zone of a whole time, and says it in UTC too', () => {
  const at = '2026-01-23T14:33:02Z'
  expect(formatWhole(at, 'utc')).toBe(`2026-01-23 14:33:02 UTC (${at})`)
  expect(formatWhole(at, 'local')).toMatch(/^2026-01-2\d \d\d:\d\d:02 (GMT|UTC)\S* \(2026-01-23T14:33:02Z\)$/)
  expect(formatWhole('soon')).toBe('soon')
})

it.each([
  [-5, '0 s'],
  [999, '0 s'],
  [4_900, '4 s'],
  [65_000, '1 m 05 s'],
])('counts %d ms as %s', (ms, text) => {
  expect(formatLasted('2026-01-23T14:33:02Z', Date.parse('2026-01-23T14:33:02Z') + ms)).toBe(text)
})

it('names the zone that was chosen', () => {
  expect(zoneName('utc')).toBe('UTC')
  expect(zoneName('local')).toMatch(/^(UTC|.+ time)$/)
})

it.each([
  [0, 'just now'],
  [59_999, 'just now'],
  [60_000, '1 min ago'],
  [3_600_000, '1 h ago'],
  [86_400_000, '1 d ago'],
  [40 * 86_400_000, '2025-12-14'],
])('shows an age of %i ms as %s', (age, text) => {
  const now = Date.parse('2026-01-23T12:00:00Z')
  expect(formatAgo(new Date(now - age).toISOString(), now, 'utc')).toBe(text)
})

it.each([
  [29.4, '29 ms'],
  [999, '999 ms'],
  [4_240, '4.2 s'],
  [9_960, '10 s'],
  [59_400, '59 s'],
  [185_000, '3 m 05 s'],
  [7_620_000, '2 h 07 m'],
])('shows %d ms as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})

it('writes spans of time', () => {
  expect([0, 0.5, 90, 300, 5400, 90_061].map(spanText)).toEqual([
    '0 s', '0.5 s', '1 min 30 s', '5 min', '1 h 30 min', '1 d 1 h 1 min 1 s',
  ])
})
