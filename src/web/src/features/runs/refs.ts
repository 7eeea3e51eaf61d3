import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed } from 'vue'
import { api, bodyOf } from '@/api/client'
import type { ListedRunbook } from '@/api/runbooks'

const FRESH_MS = 300_000

/** The refs of all runbooks, for the filter; not live, unlike the list of runbooks. */
export function useRunbookRefs() {
  const queries = useQueryClient()
  const refsOf = (runbooks: ListedRunbook[]) => runbooks.map((runbook) => runbook.path)
  const { data } = useQuery({
    queryKey: ['runbook-refs'],
    queryFn: async ({ signal }) => refsOf((await bodyOf(api.GET('/api/runbooks', { signal }))).runbooks),
    staleTime: FRESH_MS,
    initialData: () => {
      const listed = queries.getQueryData<ListedRunbook[]>(['runbooks'])
      return listed && refsOf(listed)
    },
    initialDataUpdatedAt: () => queries.getQueryState(['runbooks'])?.dataUpdatedAt,
  })
  return computed(() => data.value ?? [])
}
