import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { calmly } from './changes'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('calls at once, then at most every two seconds', () => {
  const run = vi.fn()
  const calm = calmly(run)
  calm.ask()
  calm.ask()
  calm.ask()
  expect(run).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(2_000)
  expect(run).toHaveBeenCalledTimes(2)
  vi.advanceTimersByTime(60_000)
  expect(run).toHaveBeenCalledTimes(2)
  calm.ask()
  expect(run).toHaveBeenCalledTimes(3)
})

test('asks a dozen times a minute where changes do not end', () => {
  const run = vi.fn()
  const calm = calmly(run)
  for (let at = 0; at < 60_000; at += 500) {
    calm.ask()
    vi.advanceTimersByTime(500)
  }
  expect(run.mock.calls.length).toBeLessThan(14)
  expect(run.mock.calls.length).toBeGreaterThan(6)
})

test('calls no more once it is stopped', () => {
  const run = vi.fn()
  const calm = calmly(run)
  calm.ask()
  calm.ask()
  calm.stop()
  vi.advanceTimersByTime(10_000)
  expect(run).toHaveBeenCalledTimes(1)
})
