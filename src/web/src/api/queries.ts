import { QueryClient } from '@tanstack/vue-query'
import type { Router } from 'vue-router'
import { onSignedOut } from './client'
import { ApiError } from './problem'

const TRIES = 2
/** What could not be had is asked for again so often, for as long as it is shown. */
const AGAIN_MS = 10_000

/** The cache of the server's answers. An ended token leads to the sign-in and back. */
export function createQueries(router: Router): QueryClient {
  const client = new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        retry: (failures, error) => failures < TRIES && !isRefusal(error),
        refetchInterval: ({ state: { error } }) => healingMs(error),
      },
    },
  })
  onSignedOut(() => {
    client.clear()
    const from = router.currentRoute.value
    if (!from.meta.bare) {
      void router.push({ name: 'login', query: { to: from.fullPath, ended: '1' } })
    }
  })
  return client
}

/** When a failed query is asked again by itself; false where that cannot help. */
export function healingMs(error: unknown): number | false {
  if (!(error instanceof ApiError) || !error.passing) return false
  return Math.max(error.waitMs ?? 0, AGAIN_MS)
}

/** Whether asking at once once more cannot help. */
function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && (!error.passing || error.status === 429)
}
