import { useQuery } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import { escapedRef } from '@/shared/links'
import { useChanges } from './changes'
import { api, authorizedFetch, bodyOf, type Schemas } from './client'
import { readRows } from './jsonlines'
import { errorOf } from './problem'
import { healingMs } from './queries'
import type { GivenFile, Row } from './runbooks'

export type Run = Schemas['Run']
export type WholeRun = Schemas['WholeRun']
export type RunStatus = Schemas['RunStatus']

export interface RunFilter {
  id?: string[]
  runbook?: string | string[]
  /** One or more, separated by commas. */
  status?: string
  who?: string
  device?: string
  /** `NAME=value`, or a text in any stored value. */
  input?: string
  /** ISO 8601, or a span up to now: `24h`, `7d`. */
  since?: string
  until?: string
  q?: string
  relation?: string
  dry_run?: string
  active?: string
  limit?: number
}

/** The first page of a list of runs, updated live while shown. */
export function useRuns(filter: MaybeRefOrGetter<RunFilter>) {
  useChanges()
  return useQuery({
    queryKey: computed(() => ['runs', toValue(filter)]),
    queryFn: ({ signal }) => fetchRuns(toValue(filter), signal),
    placeholderData: (previous) => previous,
  })
}

const SPAN = /^(\d{1,4})([hd])$/
const HOUR_MS = 3_600_000

export function isSpan(since: string | undefined): boolean {
  return SPAN.test(since ?? '')
}

/** The filter with a span as the moment where it starts now. */
export function withMoment<F extends RunFilter>(filter: F, now = Date.now()): F {
  const [, count, unit] = SPAN.exec(filter.since ?? '') ?? []
  if (!count) return filter
  const start = new Date(now - Number(count) * (unit === 'd' ? 24 : 1) * HOUR_MS)
  return { ...filter, since: start.toISOString().slice(0, 19) + 'Z' }
}

export function fetchRuns(filter: RunFilter & { cursor?: string }, signal?: AbortSignal) {
  // The OpenAPI document declares these parameters as plain strings.
  const query = withMoment(filter) as Record<string, string>
  return bodyOf(api.GET('/api/runs', { params: { query }, signal }))
}

/** The current state of those of these runs that match the filter. */
export async function fetchRunsOf(ids: readonly string[], filter: RunFilter): Promise<Run[]> {
  const query = { ...filter, id: [...ids], limit: ids.length }
  return (await fetchRuns(query)).runs
}

export function fetchRun(id: string, signal?: AbortSignal) {
  return bodyOf(api.GET('/api/runs/{run_id}', { params: { path: { run_id: id } }, signal }))
}

/** The document that a run executed. */
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

/** Whether related runs are active, or one will follow; the run's own events don't report on them. */
export function hasActiveRelative(run: WholeRun): boolean {
  const isPlanned = run.problems.some(({ code }) => code === 'recovery_planned')
  const isRecovered = run.followers.some(({ relation, status }) => relation === 'recovery' && status === 'succeeded')
  if (isPlanned && !isRecovered) return true
  return [run.parent, run.related, ...run.followers].some((one) => one !== null && one.active)
}

/** The steps that an undo of the run would undo. */
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

/** A log line from the server; a very long one comes in several parts. */
export interface AnsweredLine {
  line: number
  at: string
  step: number | null
  stream: 'stdout' | 'stderr'
  text: string
  /** Whether the rest of the line is omitted. */
  cut?: boolean
}

/** Up to `lines` lines from line `from`; with a stream, only its lines. */
export async function getLogLines(
  id: string,
  from: number,
  lines: number,
  signal?: AbortSignal,
  stream?: AnsweredLine['stream'],
) {
  const url = runUrl(id, `log?from=${from}&lines=${lines}`)
  if (stream) url.searchParams.set('stream', stream)
  const reply = await get(url, signal)
  const rows = (await reply.text()).split('\n').filter(Boolean)
  return rows.map((row) => JSON.parse(row) as AnsweredLine)
}

export interface LogQuery {
  text: string
  /** Whether the text is a regular expression. */
  isPattern: boolean
}

/** The range of matches to fetch. */
export interface Page {
  skip: number
  limit: number
}

/** Calls back with the numbers of matching lines as they arrive; returns the total. */
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
  const path = escapedRef(name)
  return (await get(runUrl(id, `artifacts/${path}`))).blob()
}

export type RerunKind = 'retry' | 'resume' | 'undo'

export interface RerunBody {
  env_vars?: Record<string, string | GivenFile | Row[]>
  reason?: string
  confirm?: string
  from_step?: string
  /** Digest of the runbook that the user read, if that is what runs. */
  digest?: string
}

/** Starts a rerun of a finished run; returns without waiting for it to finish. */
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
