import { ref } from 'vue'
import type { RouteLocationNormalized, Router } from 'vue-router'
import { ApiError, unreachable } from '@/api/problem'

/** Show no indicator for shorter waits. */
const PENDING_MS = 200
const FAILURE = /dynamically imported module|Importing a module script|preload CSS|module script failed/i

/** Whether the error is a browser's failure to load a lazy part of the app. */
export function isLoadFailure(error: unknown): boolean {
  return error instanceof Error && FAILURE.test(error.message)
}

export function loadFailure(): ApiError {
  if (!navigator.onLine) return unreachable()
  return new ApiError(0, {
    title: "Couldn't load part of the app",
    detail: 'The server is unreachable or has a newer version of the app. Nothing is lost.',
    code: 'unreachable',
  })
}

/** Whether the next page is loading, and the route that failed to load until `dismiss`. */
export function useLoading(router: Router, reload = (path: string) => location.assign(path)) {
  const isPending = ref(false)
  const failed = ref<RouteLocationNormalized | null>(null)
  let timer: ReturnType<typeof setTimeout> | undefined

  const finish = () => {
    clearTimeout(timer)
    isPending.value = false
  }
  router.beforeEach(() => {
    finish()
    failed.value = null
    timer = setTimeout(() => (isPending.value = true), PENDING_MS)
  })
  router.afterEach(finish)
  router.onError(async (error, to) => {
    finish()
    if (!isLoadFailure(error)) return
    // The server is reachable but lacks the file: it was upgraded, so reload the page.
    if (await isNewer()) reload(to.fullPath)
    else failed.value = to
  })
  return {
    isPending,
    failed,
    again: () => failed.value && void router.push(failed.value.fullPath),
    dismiss: () => (failed.value = null),
  }
}

/** Whether the server has a different version of the app. */
async function isNewer(): Promise<boolean> {
  const own = document.querySelector<HTMLScriptElement>('script[type=module][src]')?.src
  try {
    const reply = await fetch('/', { headers: { Accept: 'text/html' } })
    return reply.ok && own !== undefined && !(await reply.text()).includes(new URL(own).pathname)
  } catch {
    return false
  }
}
