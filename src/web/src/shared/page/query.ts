import type { LocationQuery, LocationQueryRaw, Router } from 'vue-router'

let last: Promise<unknown> = Promise.resolve()

/**
 * Changes the query of the URL once earlier changes are done: one that began at the same time would
 * start from the same query, and undo the other.
 */
export function changeQuery(router: Router, change: (query: LocationQuery) => LocationQueryRaw): Promise<unknown> {
  last = last.then(() => router.replace({ query: change(router.currentRoute.value.query) })).catch(() => undefined)
  return last
}
