import { expect, test } from 'vitest'
import { extended, refreshed, refetched } from './pages'

const rows = (...ids: string[]) => ids.map((id) => ({ id, created_at: '2026-01-01T00:00:00Z' }))
const ids = (pages: { runs: { id: string }[] }) => pages.runs.map((run) => run.id).join('')

test('a new run comes before the pages that are shown', () => {
  const shown = { runs: rows('d', 'c', 'b', 'a'), cursor: 'x' }
  const merged = refreshed(shown, { runs: rows('e', 'd'), cursor: 'y' })
  expect(ids(merged)).toBe('edcba')
  expect(merged.cursor).toBe('x')
})

test('a run that no longer matches goes', () => {
  const shown = { runs: rows('d', 'c', 'b', 'a'), cursor: null }
  expect(ids(refreshed(shown, { runs: rows('d', 'b'), cursor: 'y' }))).toBe('dba')
})

test('where the pages do not touch any more, the older ones are left out', () => {
  const shown = { runs: rows('b', 'a'), cursor: 'x' }
  expect(refreshed(shown, { runs: rows('f', 'e'), cursor: 'y' })).toEqual({
    runs: rows('f', 'e'),
    cursor: 'y',
  })
})

test('a single page is replaced', () => {
  const shown = { runs: rows('b', 'a'), cursor: null }
  expect(ids(refreshed(shown, { runs: rows('c'), cursor: null }))).toBe('c')
  expect(refreshed(shown, { runs: rows('c', 'b', 'a'), cursor: 'y' }).cursor).toBe('y')
})

test('an older page comes behind, each run once', () => {
  const shown = { runs: rows('c', 'b'), cursor: 'x' }
  expect(ids(extended(shown, { runs: rows('b', 'a'), cursor: null }))).toBe('cba')
})

test('rows that were asked for again stay in their places, or go', () => {
  const shown = { runs: rows('d', 'c', 'b', 'a'), cursor: 'x' }
  const now = [{ id: 'b', created_at: 'now' }]
  const merged = refetched(shown, ['b', 'a'], now)
  expect(ids(merged)).toBe('dcb')
  expect(merged.runs[2]).toBe(now[0])
  expect(merged.cursor).toBe('x')
})
