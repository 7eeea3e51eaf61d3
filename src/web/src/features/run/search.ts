import { useQuery } from '@tanstack/vue-query'
import { computed, ref, watch } from 'vue'
import { runKey, searchLog } from '@/api/runs'

const HITS = 1000
const AGAIN_MS = 3_000

/** Searches the whole log on the server. `isActive`: more may come. */
export function useLogSearch(id: () => string, query: () => string, isActive: () => boolean) {
  const at = ref(-1)
  const search = useQuery({
    queryKey: computed(() => [...runKey(id()), 'search', query()]),
    queryFn: ({ signal }) => searchLog(id(), query(), HITS, signal),
    enabled: () => query() !== '',
    refetchInterval: () => (isActive() ? AGAIN_MS : false),
    staleTime: 0,
  })
  const found = computed(() =>
    query() && search.data.value?.query === query() ? search.data.value : null,
  )
  const lines = computed(() => [...new Set(found.value?.hits.map((hit) => hit.line) ?? [])])
  const current = computed(() => lines.value[at.value] ?? null)
  watch([id, query], () => (at.value = -1))
  watch(isActive, (active) => {
    if (!active && query()) void search.refetch()
  })

  /** The next or the previous hit, around the end. */
  function step(by: 1 | -1) {
    const count = lines.value.length
    if (count === 0) return
    at.value = at.value < 0 && by < 0 ? count - 1 : (at.value + by + count) % count
  }
  return { found, lines, at, current, step, error: search.error, isFetching: search.isFetching }
}
