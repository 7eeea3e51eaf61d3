import { useQuery } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import { useChanges } from './changes'
import { api, authorizedFetch, bodyOf, type Schemas } from './client'
import { readRows } from './jsonlines'
import { errorOf } from './problem'
import { healingMs } from './queries'
import type { GivenFile } from './runbooks'

export type Run = Schemas['Run']
export type WholeRun = Schemas['WholeRun']
export type RunStatus = Schemas['RunStatus']

export interface RunFilter {
  id?: string[]
  runbook?: string | string[]
  /** One or several, separated by commas. */
  status?: string
  who?: string
  /** ISO 8601. */
  since?: string
  until?: string
  q?: string
  relation?: string
  dry_run?: string
  active?: string
  limit?: number
}

/** The first page of a list of runs, which is alive while it is shown. */
export function useRuns(filter: MaybeRefOrGetter<RunFilter>) {
  useChanges()
  return useQuery({
    queryKey: computed(() => ['runs', toValue(filter)]),
    queryFn: ({ signal }) => fetchRuns(toValue(filter), signal),
    placeholderData: (previous) => previous,
  })
}

export function fetchRuns(filter: RunFilter & { cursor?: string }, signal?: AbortSignal) {
  // The document says nothing of the type of these parameters but text.
  const query = filter as Record<string, string>
  return bodyOf(api.GET('/api/runs', { params: { query }, signal }))
}

/** Those of these runs that the filter lets through, as they are now. */
export async function fetchRunsOf(ids: readonly string[], filter: RunFilter): Promise<Run[]> {
  const query = { ...filter, id: [...ids], limit: ids.length }
  return (await fetchRuns(query)).runs
}

export function fetchRun(id: string, signal?: AbortSignal) {
  return bodyOf(api.GET('/api/runs/{run_id}', { params: { path: { run_id: id } }, signal }))
}

/** The text that a run executed. */
export function useRunDocument(id: MaybeRefOrGetter<string>, enabled: MaybeRefOrGetter<boolean> = true) {
  return useQuery({
    queryKey: computed(() => ['run-document', toValue(id)]),
    queryFn: ({ signal }) =>
      bodyOf(
        api.GET('/api/runs/{run_id}/document', {
          params: { path: { run_id: toValue(id) } },
          signal,
        }),
      ),
    enabled: computed(() => toValue(enabled)),
  })
}

export function runKey(id: string) {
  return ['run', id]
}

const RELATIVES_MS = 10_000

/** Whether runs that this one has to do with go on, of which its own events do not tell. */
export function hasActiveRelative(run: WholeRun): boolean {
  return [run.parent, run.related, ...run.followers].some((one) => one !== null && one.active)
}

/** What an undo of the run would do. */
export function useUndoing(id: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: computed(() => [...runKey(toValue(id)), 'undo']),
    queryFn: ({ signal }) =>
      bodyOf(api.GET('/api/runs/{run_id}/undo', { params: { path: { run_id: toValue(id) } }, signal })),
  })
}

export function useRun(id: MaybeRefOrGetter<string>, enabled: () => boolean = () => true) {
  return useQuery({
    enabled,
    queryKey: computed(() => runKey(toValue(id))),
    queryFn: ({ signal }) => fetchRun(toValue(id), signal),
    refetchInterval: ({ state: { data, error } }) => {
      const goesOn = data && !data.active && hasActiveRelative(data)
      return healingMs(error) || (goesOn ? RELATIVES_MS : false)
    },
  })
}

export function cancelRun(id: string) {
  return bodyOf(api.POST('/api/runs/{run_id}/cancel', { params: { path: { run_id: id } } }))
}

function runUrl(id: string, rest: string): URL {
  return new URL(`/api/runs/${encodeURIComponent(id)}/${rest}`, location.origin)
}

async function get(url: URL, signal?: AbortSignal): Promise<Response> {
  const response = await authorizedFetch(new Request(url, { signal }))
  if (!response.ok) throw await errorOf(response)
  return response
}

/** A line of a log as the server answers it; a very long one comes in several. */
export interface AnsweredLine {
  line: number
  at: string
  step: number | null
  stream: 'stdout' | 'stderr'
  text: string
  /** Whether the line goes on beyond what is answered. */
  cut?: boolean
}

export async function getLogLines(id: string, from: number, lines: number, signal?: AbortSignal) {
  const reply = await get(runUrl(id, `log?from=${from}&lines=${lines}`), signal)
  const rows = (await reply.text()).split('\n').filter(Boolean)
  return rows.map((row) => JSON.parse(row) as AnsweredLine)
}

export interface LogQuery {
  text: string
  /** Whether the text is a regular expression. */
  isPattern: boolean
}

/** Which of the hits are asked for. */
export interface Page {
  skip: number
  limit: number
}

/** Tells the numbers of the lines that are found, as they are; answers how many there are in all. */
export async function searchLog(
  id: string,
  { text, isPattern }: LogQuery,
  { skip, limit }: Page,
  onFound: (lines: number[]) => void,
  signal?: AbortSignal,
): Promise<number> {
  const url = runUrl(id, `log?q=${encodeURIComponent(text)}&skip=${skip}&limit=${limit}`)
  if (isPattern) url.searchParams.set('regex', 'true')
  const headers = { Accept: 'application/x-ndjson' }
  const response = await authorizedFetch(new Request(url, { headers, signal }))
  if (!response.ok || response.body === null) throw await errorOf(response)
  for await (const rows of readRows<AnsweredLine | { count: number }>(response.body)) {
    onFound(rows.flatMap((row) => ('line' in row ? [row.line] : [])))
    const last = rows.at(-1)
    if (last && 'count' in last) return last.count
  }
  throw new TypeError('The connection was lost during the search.')
}

export async function getLog(id: string): Promise<Blob> {
  return (await get(runUrl(id, 'log'))).blob()
}

export async function getArtifact(id: string, name: string): Promise<Blob> {
  const path = name.split('/').map(encodeURIComponent).join('/')
  return (await get(runUrl(id, `artifacts/${path}`))).blob()
}

export type RerunKind = 'retry' | 'resume' | 'undo'

export interface RerunBody {
  env_vars?: Record<string, string | GivenFile>
  reason?: string
  confirm?: string
  from_step?: string
  /** Of the runbook that was read, where that is executed. */
  digest?: string
}

/** Starts a rerun of an ended run; answers what was started, at once. */
export async function startRerun(id: string, kind: RerunKind, body: RerunBody, key: string) {
  const url = runUrl(id, kind)
  const headers = {
    'Content-Type': 'application/json',
    Prefer: 'respond-async',
    'Idempotency-Key': key,
  }
  const request = new Request(url, { method: 'POST', headers, body: JSON.stringify(body) })
  const response = await authorizedFetch(request)
  if (!response.ok) throw await errorOf(response)
  return (await response.json()) as { run_id: string; status: RunStatus }
}

export function getRun(id: string): Promise<WholeRun> {
  return bodyOf(api.GET('/api/runs/{run_id}', { params: { path: { run_id: id } } }))
}
