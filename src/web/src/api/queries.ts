import { QueryClient } from '@tanstack/vue-query'
import type { Router } from 'vue-router'
import { onSignedOut } from './client'
import { ApiError } from './problem'

const TRIES = 2
/** How often to retry a failed query while its data is shown. */
const AGAIN_MS = 10_000

/** The query cache. An expired token leads to the sign-in page and back. */
export function createQueries(router: Router): QueryClient {
  const client = new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        // Offline, a request fails and says so; a paused one would look as if it were loading. And a
        // server on the same machine needs no network.
        networkMode: 'always',
        refetchOnReconnect: true,
        retry: (failures, error) => failures < TRIES && !isRefusal(error),
        refetchInterval: ({ state: { error } }) => healingMs(error),
      },
      mutations: { networkMode: 'always' },
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

/** When to retry a failed query automatically; false if a retry cannot help. */
export function healingMs(error: unknown): number | false {
  if (!(error instanceof ApiError) || !error.passing) return false
  return Math.max(error.waitMs ?? 0, AGAIN_MS)
}

/** Whether an immediate retry cannot help. */
function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && (!error.passing || error.status === 429)
}
