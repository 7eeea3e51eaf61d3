import { expect, test } from 'vitest'
import { countMore, readFilter, toMoment, toTyped, withFilter, withoutFilter } from './filter'

test('reads what the list can be filtered by, and nothing else', () => {
  const query = { q: 'vm', status: '', other: '1', who: ['a', 'b'], active: 'true' }
  expect(readFilter(query)).toEqual({ q: 'vm', active: 'true' })
})

test('sets and clears fields and leaves others alone', () => {
  const query = { q: 'vm', other: '1' }
  expect(withFilter(query, { q: '', who: 'ann' })).toEqual({ q: undefined, who: 'ann', other: '1' })
  expect(withoutFilter(query)).toMatchObject({ q: undefined, other: '1' })
})

test('moments go to the server in UTC and come back as they were typed', () => {
  const moment = toMoment('2026-01-23T14:33')
  expect(moment).toMatch(/^2026-01-2\dT\d\d:\d\d:00Z$/)
  expect(toTyped(moment)).toBe('2026-01-23T14:33')
  expect(toMoment('')).toBe('')
  expect(toMoment('nonsense')).toBe('')
  expect(toTyped(undefined)).toBe('')
  expect(toTyped('nonsense')).toBe('')
  expect(toTyped('24h')).toBe('')
})

test('a preset span is no reason to unfold the other filters', () => {
  expect(countMore({ since: '24h' })).toBe(0)
  expect(countMore({ since: '2026-01-23T14:33:00Z', input: 'HOST=web1' })).toBe(2)
})

test('moments are typed in the zone that was chosen', () => {
  expect(toMoment('2026-01-23T14:33', 'utc')).toBe('2026-01-23T14:33:00Z')
  expect(toTyped('2026-01-23T14:33:00Z', 'utc')).toBe('2026-01-23T14:33')
})
