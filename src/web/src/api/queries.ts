import { QueryClient } from '@tanstack/vue-query'
import type { Router } from 'vue-router'
import { onSignedOut } from './client'
import { ApiError } from './problem'

const TRIES = 2

/** The cache of the server's answers. An ended token leads to the sign-in and back. */
export function createQueries(router: Router): QueryClient {
  const client = new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        retry: (failures, error) =>
          failures < TRIES && !(error instanceof ApiError && !error.passing),
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
