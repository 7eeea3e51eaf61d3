import { onScopeDispose, ref, shallowRef, triggerRef, watch } from 'vue'
import { readStream, type RunEvent, type StreamState } from '@/api/events'
import type { ApiError } from '@/api/problem'
import { RunLog } from './log'

/** Output comes in bursts: drawing at most this often keeps the page quick. */
const DRAW_MS = 60

/** Follows a run's events for as long as the component is shown. */
export function useRunEvents(id: () => string, onEvents: (events: RunEvent[]) => void) {
  const log = shallowRef(new RunLog())
  const state = ref<StreamState>('connecting')
  const error = shallowRef<ApiError | null>(null)
  let abort = new AbortController()

  function follow(runId: string) {
    abort.abort()
    abort = new AbortController()
    log.value = new RunLog()
    error.value = null
    const batch = batcher(DRAW_MS, (events: RunEvent[]) => {
      if (events.filter((event) => log.value.add(event)).length) triggerRef(log)
      onEvents(events.filter((event) => !event.stream))
    })
    abort.signal.addEventListener('abort', batch.drop)
    let isDone = false
    const url = `/api/runs/${encodeURIComponent(runId)}/events`
    void readStream(
      url,
      {
        onMessage: (message) => {
          const event = JSON.parse(message.data) as RunEvent
          isDone ||= event.type === 'done'
          batch.add(event)
        },
        onState: (value) => (state.value = value),
        onError: (failure) => (error.value = failure),
        isComplete: () => isDone,
      },
      abort.signal,
    )
  }

  watch(id, follow, { immediate: true })
  onScopeDispose(() => abort.abort())
  return { log, state, error }
}

function batcher<T>(ms: number, flush: (items: T[]) => void) {
  let items: T[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  return {
    add(item: T) {
      items.push(item)
      timer ??= setTimeout(() => {
        timer = undefined
        const ready = items
        items = []
        flush(ready)
      }, ms)
    },
    drop() {
      clearTimeout(timer)
      items = []
    },
  }
}
