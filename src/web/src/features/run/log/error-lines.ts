import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import { getLogLines } from '@/api/runs'
import { isErrorOutput } from './framed'
import type { LogLine, RunLog } from './log'
import { useUrl } from '@/shared/page/url'
import { messageOf } from '@/shared/text/message'

const PAGE = 10_000
const STREAM = 'stderr'

/** The filter in the URL that shows error output alone. */
export function useErrorLines(id: () => string, log: () => RunLog, { route, change } = useUrl()) {
  const isOn = computed(() => route.query.stream === STREAM)
  /** The lines from before the events; null until they are loaded. */
  const stored = shallowRef<readonly LogLine[] | null>(null)
  const failure = ref('')
  let abort = new AbortController()

  const lines = computed(() => {
    if (!isOn.value || stored.value === null) return null
    const all = [...stored.value, ...log().errorLines]
    return new Map(all.filter(isErrorOutput).map((line) => [line.n, line]))
  })
  /** Numbers of the lines to show; null for all. */
  const picked = computed(() => lines.value && [...lines.value.keys()])

  async function load() {
    abort.abort()
    abort = new AbortController()
    const { signal } = abort
    stored.value = null
    failure.value = ''
    if (!isOn.value) return
    try {
      const found = await linesUpTo(id(), log().begin, signal)
      if (!signal.aborted) stored.value = found
    } catch (error) {
      if (!signal.aborted) failure.value = messageOf(error)
    }
  }

  const show = (on: boolean) => change({ query: { stream: on ? STREAM : undefined } })
  watch([id, isOn], load, { immediate: true })
  onScopeDispose(() => abort.abort())
  return { isOn, picked, line: (n: number) => lines.value?.get(n), failure, show }
}

async function linesUpTo(id: string, last: number, signal: AbortSignal): Promise<LogLine[]> {
  const all: LogLine[] = []
  for (let from = 1; from <= last; ) {
    const lines = await getLogLines(id, from, PAGE, signal, STREAM)
    all.push(...lines.flatMap(({ line: n, ...rest }) => (n <= last ? [{ n, ...rest }] : [])))
    if (lines.length < PAGE) break
    from = (lines.at(-1)?.line ?? last) + 1
  }
  return all
}
