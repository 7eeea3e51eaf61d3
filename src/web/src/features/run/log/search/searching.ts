import { computed, ref, watch } from 'vue'
import { useDebounced } from '@/shared/page/debounce'
import { useUrl } from '@/shared/page/url'
import { readHash } from '../lines'
import { useLogSearch } from './search'

const TYPING_MS = 150

interface Searched {
  id: () => string
  lines: () => number
  isActive: () => boolean
  show: (line: number) => void
}

/** The search in the URL, kept in sync with the text in the field (`typed`). */
export function useSearching({ id, lines, isActive, show }: Searched) {
  const { route, change } = useUrl()
  const query = computed(() => ({
    text: String(route.query.q ?? ''),
    isPattern: route.query.regex === 'true',
  }))
  const typed = ref(query.value.text)
  const search = useLogSearch(id, () => query.value, lines, isActive)
  /** The text to mark within lines; only the server knows which part matches a pattern. */
  const marked = computed(() => (query.value.isPattern ? '' : query.value.text))

  // Text with a leading colon is a line number.
  watch(useDebounced(typed, TYPING_MS), (text) => {
    if (!text.startsWith(':') && text !== query.value.text) void change({ query: { q: text || undefined } })
  })
  watch(
    () => query.value.text,
    (text) => {
      if (!typed.value.startsWith(':')) typed.value = text
    },
  )
  watch(search.known, (known) => {
    if (known && search.at.value < 0 && !readHash(route.hash)) search.step(1)
  })
  watch(search.current, (line) => line !== null && show(line))
  const isFound = (n: number) => query.value.isPattern && search.found.value.has(n)
  const usePattern = (on: boolean) => change({ query: { regex: on ? 'true' : undefined } })
  return { ...search, query, typed, marked, isFound, usePattern }
}
