import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { effectScope, nextTick, type Ref } from 'vue'
import { ApiError } from '@/api/problem'
import { useCountdown } from './countdown'

let scope = effectScope()
beforeEach(() => {
  vi.useFakeTimers()
  scope = effectScope()
})
afterEach(() => {
  scope.stop()
  vi.useRealTimers()
})

async function counted(waitMs: number | null) {
  const error = new ApiError(429, {}, { waitMs })
  const onEnd = vi.fn()
  const left = scope.run(() => useCountdown(() => error, onEnd)) as Readonly<Ref<number>>
  const seen: number[] = []
  for (let second = 0; second < 4; second += 1) {
    seen.push(left.value)
    vi.advanceTimersByTime(1_000)
    await nextTick()
  }
  return [seen, onEnd.mock.calls.length]
}

it('counts down the time that the server asks to wait, then says so once', async () => {
  expect(await counted(3_000)).toEqual([[3, 2, 1, 0], 1])
  expect(await counted(null)).toEqual([[0, 0, 0, 0], 0])
})
