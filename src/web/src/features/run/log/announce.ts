import { onScopeDispose, ref, watch } from 'vue'
import { counted, formatCount } from '@/shared/text/numbers'

const MOST_OFTEN_MS = 2_000

/**
 * Announces new output to screen readers: at most one message every two seconds, and never the
 * same text twice, because unchanged text is not announced.
 */
export function useAnnouncements(run: () => string, count: () => number, isLive: () => boolean) {
  const said = ref('')
  let known = count()
  let timer: ReturnType<typeof setTimeout> | undefined

  function say() {
    timer = undefined
    const more = count() - known
    known = count()
    if (more <= 0) return
    said.value = `${counted(more, 'new line')} of output, ${formatCount(known)} total`
  }
  function forget() {
    clearTimeout(timer)
    timer = undefined
    known = count()
  }
  watch([run, count], ([id], [before]) => {
    if (id !== before) forget()
    else if (isLive()) timer ??= setTimeout(say, MOST_OFTEN_MS)
    else if (timer === undefined) known = count()
  })
  onScopeDispose(() => clearTimeout(timer))
  return said
}
