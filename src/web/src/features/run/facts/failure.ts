import { useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'
import type { Schemas } from '@/api/client'
import { type AnsweredLine, fetchRun, getLogLines, type RunStatus, type WholeRun } from '@/api/runs'
import { stripAnsi } from '@/shared/text/ansi'
import { isTrouble } from '../log/layout/sections'
import { isErrorOutput } from '../log/framed'
import type { Lines } from '../log/lines'
import { lastLineOf, type StepRun } from '../log/layout/rows'

type ChildRun = Schemas['ChildRun']

/** The end of what a run printed before it failed. */
export interface Excerpt {
  id: string
  status: RunStatus
  /** Name and runbook of a called run; null for the run itself. */
  call: ChildRun | null
  /** The failed step, if the run has steps. */
  step: StepRun | null
  lines: { n: number; text: string }[]
}

const ENDED_BADLY: readonly RunStatus[] = ['failed', 'timed_out', 'interrupted', 'lost']
const FAILED: readonly RunStatus[] = [...ENDED_BADLY, 'refused', 'invalid']
const STOPPED: readonly RunStatus[] = ['interrupted', 'lost']
/** Whether the script was stopped from outside: what it printed last says how far it came, its errors say little. */
export const isStopped = (run: { status: RunStatus }) => STOPPED.includes(run.status)
/** A cancelled step adds nothing to the run's status. */
const hasFailed = (step: StepRun) => isTrouble(step) && step.status !== 'cancelled'

export function failedSteps(run: Pick<WholeRun, 'steps'>): StepRun[] {
  return run.steps.filter(hasFailed)
}

/**
 * The called run that a failure comes from, however deep: at each level, the failed one that was
 * called last. Null if the failed step called none, or none that failed.
 */
export function failedCall(run: Pick<WholeRun, 'children' | 'steps'>): ChildRun | null {
  const since = failedSteps(run)[0]?.started_at ?? ''
  return lastFailed(run.children.filter((child) => child.created_at >= since))
}

function lastFailed(children: readonly ChildRun[]): ChildRun | null {
  const failed = children.filter((child) => child.relation !== 'undo' && FAILED.includes(child.status))
  const last = failed.toSorted((a, b) => (a.created_at < b.created_at ? -1 : 1)).at(-1)
  return last ? (lastFailed(last.children) ?? last) : null
}

/** Whether the failed call is what ended the run: no later call of the same run went well. */
export function endsWithCall(run: Pick<WholeRun, 'children'>, call: ChildRun): boolean {
  const holds = (child: ChildRun): boolean => child.id === call.id || child.children.some(holds)
  const own = run.children.find(holds)
  return !run.children.some((child) => child !== own && own !== undefined && child.created_at > own.created_at)
}

const SHOWN = 5
/** What an error says to do next is at the end of its line. */
const LONGEST = 1200
/** How many lines before the end to search for error output, one after the other. */
const WINDOWS = [200, 10_000, Infinity]
const MOST_LINES = 10_000

/** The last lines of error output; if there is none, the last lines of output. */
export async function lastErrorLines(id: string, { first, last }: Lines, signal?: AbortSignal) {
  if (last < first) return []
  for (const window of WINDOWS) {
    const from = Math.max(first, last - window + 1)
    const count = Math.min(window, MOST_LINES)
    const lines = await getLogLines(id, from, count, signal, 'stderr')
    const found = readable(lines.filter(isErrorOutput), last)
    if (found.length) return found
    if (from === first) break
  }
  return lastLines(id, { first, last }, signal)
}

/** The last lines of output, of both streams. */
async function lastLines(id: string, { first, last }: Lines, signal?: AbortSignal) {
  if (last < first) return []
  const from = Math.max(first, last - 4 * SHOWN + 1)
  return readable(await getLogLines(id, from, 4 * SHOWN, signal), last)
}

const cut = (text: string) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text)

function readable(lines: readonly AnsweredLine[], last: number): Excerpt['lines'] {
  const texts = lines.flatMap(({ line: n, text }) => (n > last ? [] : { n, text: stripAnsi(text).trimEnd() }))
  return texts.filter(({ text }) => text).slice(-SHOWN).map(({ n, text }) => ({ n, text: cut(text) }))
}

/** Where to look for the error: in the last failed step, or in the whole log. */
function linesOf(run: WholeRun): Lines {
  const step = failedSteps(run).at(-1)
  return step ? { first: step.first_line, last: lastLineOf(step, run.log_lines) } : { first: 1, last: run.log_lines }
}

export async function excerptOf(run: WholeRun, call: Excerpt['call'], signal?: AbortSignal): Promise<Excerpt> {
  const lines = await (isStopped(run) ? lastLines : lastErrorLines)(run.id, linesOf(run), signal)
  return { id: run.id, status: run.status, call, step: failedSteps(run).at(-1) ?? null, lines }
}

/** A called run may have been deleted, or be out of reach: then there is only its name. */
async function excerptOfCall(call: ChildRun, signal: AbortSignal): Promise<Excerpt> {
  try {
    return await excerptOf(await fetchRun(call.id, signal), call, signal)
  } catch (error) {
    if (signal.aborted) throw error
    return { id: call.id, status: call.status, call, step: null, lines: [] }
  }
}

/** The error output of a failed run: of the called run that it failed with, and its own. */
export function useExcerpts(run: () => WholeRun) {
  const isWanted = computed(() => ENDED_BADLY.includes(run().status))
  const call = computed(() => failedCall(run()))
  return useQuery({
    queryKey: computed(() => ['run-failure', run().id, run().last_event, call.value?.id]),
    queryFn: async ({ signal }) => {
      const now = run()
      const own = () => excerptOf(now, null, signal)
      if (!call.value) return [await own()]
      const called = await excerptOfCall(call.value, signal)
      return endsWithCall(now, call.value) ? [called] : [await own(), called]
    },
    enabled: isWanted,
    staleTime: Infinity,
  })
}
