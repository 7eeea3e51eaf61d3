import { computed, type Ref, watch } from 'vue'
import type { ApiError } from '@/api/problem'
import { useNow } from '@/shared/time/clock'

/** Seconds until the server accepts requests again, if it told; calls back when they have passed. */
export function useCountdown(error: () => ApiError, onEnd: () => void): Readonly<Ref<number>> {
  const now = useNow()
  const left = computed(() => {
    const { waitMs, receivedAt } = error()
    return waitMs === null ? 0 : Math.max(0, Math.ceil((receivedAt + waitMs - now.value) / 1000))
  })
  watch(left, (seconds, before) => {
    if (before > 0 && seconds === 0) onEnd()
  })
  return left
}
