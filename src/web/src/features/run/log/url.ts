import type { LocationQueryRaw, RouteLocationNormalizedLoaded, Router } from 'vue-router'
import { useRoute, useRouter } from 'vue-router'

interface Place {
  query: LocationQueryRaw
  hash: string
}
/** Where a navigation leads that has not finished. */
let next: Place | null = null

/** Changes parts of the page's URL: several changes at once all count, though only the last navigation ends. */
export function useUrl() {
  return urlOf(useRoute(), useRouter())
}

export function urlOf(route: Pick<RouteLocationNormalizedLoaded, 'query' | 'hash'>, router: Pick<Router, 'replace'>) {
  return {
    route,
    change({ query, hash }: Partial<Place>) {
      const before = next ?? { query: route.query, hash: route.hash }
      const place = { query: { ...before.query, ...query }, hash: hash ?? before.hash }
      next = place
      void router.replace(place).finally(() => {
        if (next === place) next = null
      })
    },
  }
}
