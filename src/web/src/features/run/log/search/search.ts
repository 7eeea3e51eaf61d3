import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import { type LogQuery, searchLog } from '@/api/runs'
import { messageOf } from '@/shared/text/message'

/** Matches per request. */
const PAGE = 1000
/** Search new output at most this often. */
const AGAIN_MS = 3_000

const pageOf = (at: number) => Math.floor(at / PAGE)

/**
 * Searches the whole log on the server, counts all matches and steps through them.
 * `lines`: current number of lines; `isActive`: whether more may follow.
 */
export function useLogSearch(
  id: () => string,
  query: () => LogQuery,
  lines: () => number,
  isActive: () => boolean,
) {
  /** Numbers of matching lines, by page. */
  const pages = shallowRef<ReadonlyMap<number, readonly number[]>>(new Map())
  /** Null until the whole log is searched. */
  const count = ref<number | null>(null)
  /** Index of the current match. */
  const at = ref(-1)
  const failure = ref('')
  const isSearching = ref(false)
  let abort = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined

  const first = computed(() => pages.value.get(0) ?? [])
  const current = computed(() => pages.value.get(pageOf(at.value))?.[at.value % PAGE] ?? null)
  /** Number of matches found so far. */
  const known = computed(() => count.value ?? first.value.length)
  const found = computed(() => new Set([...pages.value.values()].flat()))

  async function find(page: number) {
    abort.abort()
    abort = new AbortController()
    const { signal } = abort
    const numbers: number[] = []
    const put = (more: readonly number[]) => {
      numbers.push(...more)
      if (!signal.aborted) pages.value = new Map(pages.value).set(page, [...numbers])
    }
    isSearching.value = true
    try {
      const all = await searchLog(id(), query(), { skip: page * PAGE, limit: PAGE }, put, signal)
      if (signal.aborted) return
      count.value = all
      failure.value = ''
    } catch (error) {
      if (!signal.aborted) failure.value = messageOf(error)
    } finally {
      if (!signal.aborted) isSearching.value = false
    }
  }

  /** Goes to the next or previous match, and wraps around. */
  function step(by: 1 | -1) {
    const all = known.value
    if (all === 0) return
    at.value = ((at.value < 0 && by < 0 ? 0 : at.value) + by + all) % all
    if (current.value === null) void find(pageOf(at.value))
  }

  function begin() {
    stop()
    pages.value = new Map()
    count.value = null
    at.value = -1
    failure.value = ''
    if (query().text) void find(0)
  }

  function stop() {
    abort.abort()
    clearTimeout(timer)
    timer = undefined
    isSearching.value = false
  }

  /** New matches are on the last page or after it. */
  function findMore() {
    timer ??= setTimeout(() => {
      timer = undefined
      if (isSearching.value) findMore()
      else void find(pageOf(Math.max(0, known.value - 1)))
    }, AGAIN_MS)
  }

  watch([id, () => query().text, () => query().isPattern], begin, { immediate: true })
  watch([lines, isActive], () => {
    if (query().text && !failure.value) findMore()
  })
  onScopeDispose(stop)
  return { count, at, current, known, found, failure, isSearching, step }
}
