import { type QueryClient, useQueryClient } from '@tanstack/vue-query'
import { onScopeDispose, reactive } from 'vue'
import { session } from '@/auth/session'
import type { Schemas } from './client'
import { readStream, type StreamState } from './events'

export type ActiveRun = Schemas['ListedActive']

export interface Live {
  /** Active runs, oldest first; null until the server has sent them. */
  active: ActiveRun[] | null
  revision: number | null
  state: StreamState
}

const LEAST_MS = 2_000
const MOST_MS = 8_000

const live = reactive<Live>({ active: null, revision: null, state: 'connecting' })
let users = 0
let abort: AbortController | null = null

/**
 * Active runs, live. Refetches the lists of runs and runbooks after each change, while a component
 * that uses this is mounted.
 */
export function useChanges(): Readonly<Live> {
  const queries = useQueryClient()
  const listen = () => listenOrNot(queries)
  users += 1
  if (users === 1) listen()
  onScopeDispose(() => {
    users -= 1
    // The next page may use it too: don't reopen the stream.
    setTimeout(listen)
  })
  return live
}

function listenOrNot(queries: QueryClient) {
  const isWanted = users > 0 && session.current !== null
  if (!isWanted) {
    abort?.abort()
    abort = null
    if (users === 0) Object.assign(live, { active: null, state: 'connecting' })
  } else if (abort === null || abort.signal.aborted) {
    abort = new AbortController()
    void listen(queries, abort)
  }
}

async function listen(queries: QueryClient, own: AbortController) {
  const runs = calmly(() => void queries.invalidateQueries({ queryKey: ['runs'] }))
  const runbooks = calmly(() => void queries.invalidateQueries({ queryKey: ['runbooks'] }))
  let isFirst = true
  own.signal.addEventListener('abort', () => {
    runs.stop()
    runbooks.stop()
  })
  await readStream(
    '/api/runs/changes',
    {
      onMessage: ({ data }) => {
        const { active, revision } = JSON.parse(data) as Schemas['Changes']
        // The first event is a snapshot: only data loaded earlier can be older.
        const isNews = !isFirst || (live.revision !== null && live.revision !== revision)
        if (isNews) runs.ask()
        if (isNews && live.revision !== revision) runbooks.ask()
        isFirst = false
        live.active = active
        live.revision = revision
      },
      onState: (state) => (live.state = state),
      onError: () => {
        live.state = 'lost'
      },
      isComplete: () => false,
    },
    own.signal,
  )
  if (abort === own) own.abort()
}

/** Calls at most every two seconds, and less often during constant changes. */
export function calmly(run: () => void) {
  let timer: ReturnType<typeof setTimeout> | undefined
  let gap = LEAST_MS
  let isAsked = false
  const rest = () => {
    timer = setTimeout(() => {
      timer = undefined
      gap = isAsked ? Math.min(gap * 1.5, MOST_MS) : LEAST_MS
      if (!isAsked) return
      isAsked = false
      run()
      rest()
    }, gap)
  }
  return {
    ask() {
      isAsked = timer !== undefined
      if (isAsked) return
      run()
      rest()
    },
    stop: () => clearTimeout(timer),
  }
}
