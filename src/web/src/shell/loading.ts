import { ref } from 'vue'
import type { RouteLocationNormalized, Router } from 'vue-router'
import { ApiError } from '@/api/problem'

/** Shorter waits are not worth a mark. */
const PENDING_MS = 200
const FAILURE = /dynamically imported module|Importing a module script|preload CSS|module script failed/i

/** Parts of the app come when they are needed: this is what browsers say where one does not. */
export function isLoadFailure(error: unknown): boolean {
  return error instanceof Error && FAILURE.test(error.message)
}

export function loadFailure(): ApiError {
  return new ApiError(0, {
    title: 'A part of this app could not be loaded',
    detail: 'The server cannot be reached, or it has a newer version of the app. Nothing was lost.',
    code: 'unreachable',
  })
}

/** Whether the next page is still being loaded, and where that failed. */
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
    // The server is there and yet has no such file: it was upgraded, and the page is to be loaded anew.
    if (await isNewer()) reload(to.fullPath)
    else failed.value = to
  })
  return { isPending, failed, again: () => failed.value && void router.push(failed.value.fullPath) }
}

/** Whether the server has another app than the one that runs here. */
async function isNewer(): Promise<boolean> {
  const own = document.querySelector<HTMLScriptElement>('script[type=module][src]')?.src
  try {
    const reply = await fetch('/', { headers: { Accept: 'text/html' } })
    return reply.ok && own !== undefined && !(await reply.text()).includes(new URL(own).pathname)
  } catch {
    return false
  }
}
