import { computed, watch } from 'vue'
import { hashOf, type Lines, ordered, readGoTo, readHash } from './lines'
import { useUrl } from '@/shared/page/url'

/** The lines selected in the URL; calls `show` if they were not selected by a click. */
export function useSelection(show: (line: number) => void) {
  const { route, change } = useUrl()
  const selected = computed(() => readHash(route.hash))
  let own = route.hash

  function select(lines: Lines | null) {
    own = hashOf(lines)
    void change({ hash: own })
  }

  /** Selects a line by its number; with Shift, extends the selection. */
  function onClick(event: MouseEvent) {
    const at = event.target instanceof HTMLElement ? Number(event.target.dataset.line) : 0
    if (!at) return
    const from = event.shiftKey ? selected.value : null
    const isSame = !from && hashOf(selected.value) === `#L${at}`
    select(isSame ? null : ordered(from && at < from.first ? from.last : (from?.first ?? at), at))
  }

  /** `:120` and `:120-140`. */
  function goTo(text: string) {
    const lines = readGoTo(text)
    if (!lines) return
    select(lines)
    show(lines.first)
  }

  // The URL changed through the browser history or the address bar.
  watch(
    () => route.hash,
    (hash) => {
      const lines = hash === own ? null : readHash(hash)
      own = hash
      if (lines) show(lines.first)
    },
  )
  const isSelected = (n: number) =>
    selected.value !== null && selected.value.first <= n && n <= selected.value.last
  return { selected, select, onClick, goTo, isSelected }
}
