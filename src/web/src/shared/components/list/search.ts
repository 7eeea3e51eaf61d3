import { ref, watch } from 'vue'
import { useDebounced } from '@/shared/page/debounce'
import { useUrl } from '@/shared/page/url'

/** What is searched for in a list: as typed, once it has settled, and as `q` in the URL. */
export function useUrlSearch(ms?: number) {
  const { route, change } = useUrl()
  const inUrl = () => String(route.query.q ?? '')
  const text = ref(inUrl())
  const settled = useDebounced(text, ms)
  /** What the URL has from here, as opposed to a link or the Back button. */
  let own = text.value
  watch(settled, (q) => {
    own = q
    void change((query) => ({ ...query, q: q || undefined }))
  })
  watch(inUrl, (q) => {
    if (q === own) return
    own = q
    text.value = q
  })
  return { text, settled }
}
