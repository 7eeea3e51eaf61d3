import { watch, type WatchSource } from 'vue'
import { randomText } from '@/shared/random'

/** An idempotency key per form content: submitting again after a lost response starts no second run. */
export function useAttemptKey(content: (WatchSource | object)[]) {
  let key = ''
  const reset = () => (key = '')
  watch(content, reset, { deep: true, flush: 'sync' })
  return { key: () => (key ||= randomText()), reset }
}
