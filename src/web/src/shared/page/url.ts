import type { LocationQuery, LocationQueryRaw, RouteLocationNormalizedLoaded, Router } from 'vue-router'
import { useRoute, useRouter } from 'vue-router'

interface Place {
  query: LocationQuery
  hash: string
}
/** The parts to set; those of the query that are undefined are removed. */
interface Parts {
  query?: LocationQueryRaw
  hash?: string
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
    /** Sets these parts, or the query that the function makes of the present one. Resolves when the URL has changed. */
    async change(change: Parts | ((query: LocationQuery) => LocationQueryRaw)): Promise<void> {
      const before = next ?? { query: route.query, hash: route.hash }
      const { query, hash = before.hash }: Parts =
        typeof change === 'function' ? { query: change(before.query) } : { ...change, query: { ...before.query, ...change.query } }
      const place = { query: withoutUnset(query ?? {}), hash }
      // Replacing the URL with itself would cancel a navigation to another page.
      if (next === null && isSame(place, route)) return
      next = place
      await router.replace(place).finally(() => {
        if (next === place) next = null
      })
    },
  }
}

function isSame(place: Place, { query, hash }: Place): boolean {
  const sorted = (one: LocationQuery) => JSON.stringify(Object.entries(one).sort())
  return place.hash === hash && sorted(place.query) === sorted(query)
}

function withoutUnset(query: LocationQueryRaw): LocationQuery {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as LocationQuery
}
