import { watch, type WatchSource } from 'vue'
import { randomText } from '@/shared/random'

/** One key for one content of a form: trying again after a lost answer starts no second run. */
export function useAttemptKey(content: (WatchSource | object)[]) {
  let key = ''
  const renew = () => (key = '')
  watch(content, renew, { deep: true, flush: 'sync' })
  return { key: () => (key ||= randomText()), renew }
}
