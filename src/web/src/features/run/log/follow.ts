import { onScopeDispose, ref, shallowRef, triggerRef, watch } from 'vue'
import { readStream, type RunEvent, type StreamState } from '@/api/events'
import type { ApiError } from '@/api/problem'
import { getLogLines, type WholeRun } from '@/api/runs'
import type { Happening } from '../advance'
import { BLOCK, blockOf, linesOf, type LogLine, RunLog } from './log'

/** Output comes in bursts: redraw at most this often. */
const DRAW_MS = 60
/** Reload a growing line at most this often. */
const GROWN_MS = 400
/** Events to replay from before the last one, for progress and notices. */
const EVENTS_BEFORE = 1_000

/** Follows a run while the component is mounted, starting from the state in `run`. */
export function useRunEvents(
  run: () => WholeRun | undefined,
  onEvents: (happened: Happening[]) => void,
) {
  const log = shallowRef(new RunLog())
  const state = ref<StreamState>('connecting')
  const error = shallowRef<ApiError | null>(null)
  /** How often an open stream was lost, and failed attempts in a row since. */
  const interruptions = ref(0)
  const failures = ref(0)
  let abort = new AbortController()
  const asked = new Set<number>()
  let grown: ReturnType<typeof setTimeout> | undefined

  function follow(begun: WholeRun) {
    stop()
    abort = new AbortController()
    const { signal } = abort
    log.value = new RunLog({ lines: begun.log_lines, event: begun.last_event })
    error.value = null
    interruptions.value = 0
    const batch = batcher(DRAW_MS, (events: RunEvent[]) => {
      const happened: Happening[] = []
      const added = events.map((event) => {
        if (!event.stream) happened.push({ event, lines: log.value.count })
        return log.value.add(event)
      })
      if (added.some(Boolean)) triggerRef(log)
      if (added.includes('grown')) readGrown()
      if (happened.length) onEvents(happened)
    })
    signal.addEventListener('abort', batch.drop)
    let isDone = false
    // The plan of a dry run is at the beginning.
    const after = begun.dry_run ? 0 : Math.max(0, begun.last_event - EVENTS_BEFORE)
    void readStream(
      `/api/runs/${encodeURIComponent(begun.id)}/events?after=${after}`,
      {
        onMessage: (message) => {
          const event = JSON.parse(message.data) as RunEvent
          isDone ||= event.type === 'done'
          batch.add(event)
        },
        onState: (value) => {
          if (value === 'lost' && state.value === 'open') interruptions.value += 1
          failures.value = value === 'lost' ? failures.value + 1 : 0
          state.value = value
        },
        onError: (failure) => (error.value = failure),
        isComplete: () => isDone,
      },
      signal,
    )
  }

  /** Loads what is needed to draw these lines. */
  function need(first: number, last: number) {
    const id = run()?.id
    if (id === undefined || last < first) return
    for (const block of log.value.missing(first, last)) void read(id, block)
  }

  async function read(id: string, block: number) {
    if (asked.has(block)) return
    asked.add(block)
    const { signal } = abort
    try {
      const lines = await readBlock(id, block, signal)
      if (signal.aborted) return
      log.value.put(block, lines)
      triggerRef(log)
    } catch (failure) {
      if (!signal.aborted) setTimeout(() => triggerRef(log), 3 * GROWN_MS)
      void failure // The next redraw retries; the stream reports connection problems.
    } finally {
      if (!signal.aborted) setTimeout(() => asked.delete(block), 2 * DRAW_MS)
    }
  }

  function readGrown() {
    grown ??= setTimeout(() => {
      grown = undefined
      const id = run()?.id
      const block = blockOf(log.value.base)
      if (id !== undefined) void readAgain(id, block)
    }, GROWN_MS)
  }

  async function readAgain(id: string, block: number) {
    const { signal } = abort
    const lines = await readBlock(id, block, signal).catch(() => null)
    if (signal.aborted) return
    if (lines === null) return readGrown()
    log.value.put(block, lines)
    triggerRef(log)
  }

  function stop() {
    abort.abort()
    asked.clear()
    clearTimeout(grown)
    grown = undefined
  }

  watch(
    () => run()?.id,
    () => {
      const begun = run()
      if (begun) follow(begun)
    },
    { immediate: true },
  )
  onScopeDispose(stop)
  return { log, state, error, interruptions, failures, need }
}

/** The complete lines of a block: the server may send a long line in several parts. */
async function readBlock(id: string, block: number, signal: AbortSignal): Promise<LogLine[]> {
  const { first, last } = linesOf(block)
  const lines: LogLine[] = []
  let from = first
  for (;;) {
    const parts = await getLogLines(id, from, BLOCK, signal)
    for (const { line: n, ...part } of parts) {
      const known = lines[n - first]
      if (n > last) return lines
      if (known) known.text += part.text
      else lines.push({ n, ...part })
    }
    const end = lines.at(-1)?.n ?? 0
    if (parts.length < BLOCK || end >= last || end === from) return lines
    // The last line may be incomplete.
    lines.pop()
    from = end
  }
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
