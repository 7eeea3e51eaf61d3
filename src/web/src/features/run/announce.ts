import { onScopeDispose, ref, watch } from 'vue'

const MOST_OFTEN_MS = 2_000

/** What those who hear the page are told of new lines: at most one sentence in two seconds. */
export function useAnnouncements(count: () => number, isLive: () => boolean) {
  const said = ref('')
  let known = count()
  let timer: ReturnType<typeof setTimeout> | undefined

  function say() {
    timer = undefined
    const more = count() - known
    known = count()
    if (more > 0) said.value = `${more} new ${more === 1 ? 'line' : 'lines'} of output`
  }
  watch(count, () => {
    if (!isLive()) known = count()
    else timer ??= setTimeout(say, MOST_OFTEN_MS)
  })
  onScopeDispose(() => clearTimeout(timer))
  return said
}
