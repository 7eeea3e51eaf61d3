import { computed, ref, shallowRef, type Ref, watch } from 'vue'
import { useChanges } from '@/api/changes'
import { fetchRuns, fetchRunsOf, type Run, useRuns } from '@/api/runs'
import { type Filter, toServer } from './filter'
import { extended, type Pages, refreshed, refetched } from './pages'

const PAGE = 50
/** Maximum number of ids in one URL. */
const MOST_ASKED = 50

/** The runs that match a filter: the newest page is live, older pages load on request. */
export function useRunList(filter: Readonly<Ref<Filter>>) {
  const live = useChanges()
  const query = useRuns(() => toServer(filter.value, PAGE))
  const pages = shallowRef<Pages<Run> | null>(null)
  const isLoadingMore = ref(false)
  const moreError = shallowRef<unknown>(null)
  let shownFilter = ''

  watch(
    [query.data, query.isPlaceholderData],
    ([data, isOld]) => {
      if (!data || isOld) return
      const first = { runs: data.runs, cursor: data.next_cursor }
      const name = JSON.stringify(filter.value)
      const isSame = name === shownFilter && pages.value !== null
      pages.value = isSame && pages.value ? refreshed(pages.value, first) : first
      shownFilter = name
    },
    { immediate: true },
  )

  async function more() {
    const before = pages.value
    if (!before?.cursor || isLoadingMore.value) return
    isLoadingMore.value = true
    moreError.value = null
    const asked = shownFilter
    try {
      const page = await fetchRuns({ ...toServer(filter.value, PAGE), cursor: before.cursor })
      if (asked === shownFilter && pages.value) {
        pages.value = extended(pages.value, { runs: page.runs, cursor: page.next_cursor })
      }
    } catch (error) {
      moreError.value = error
    } finally {
      isLoadingMore.value = false
    }
  }

  // The first page does not cover older rows: refetch those that are no longer active, once per
  // update from the stream.
  const asked = new Set<string>()
  watch(() => live.active, () => asked.clear(), { flush: 'sync' })
  watch([() => live.active, pages], () => void learn())

  async function learn() {
    const ids = endedBelow().slice(0, MOST_ASKED)
    if (!ids.length) return
    ids.forEach((id) => asked.add(id))
    const name = shownFilter
    // If it fails, the next change retries.
    const found = await fetchRunsOf(ids, filter.value).catch(() => null)
    if (found && pages.value && name === shownFilter) pages.value = refetched(pages.value, ids, found)
  }

  function endedBelow(): string[] {
    if (!live.active) return []
    const others = [...live.active, ...(query.data.value?.runs ?? [])]
    const known = new Set([...others.map((run) => run.id), ...asked])
    const shown = pages.value?.runs ?? []
    return shown.filter((run) => run.active && !known.has(run.id)).map((run) => run.id)
  }

  // The stream reports a new status before the list is refetched.
  const runs = computed(() => {
    const now = new Map(live.active?.map((run) => [run.id, run]))
    return (pages.value?.runs ?? []).map((run) => {
      const told = run.active ? now.get(run.id) : undefined
      return told ? { ...run, status: told.status, waiting: told.waiting } : run
    })
  })

  return { runs, pages, live, query, more, isLoadingMore, moreError }
}
