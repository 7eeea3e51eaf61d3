import { useQuery } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import { api, authorizedFetch, bodyOf, type Schemas } from './client'
import { errorOf } from './problem'

export type Run = Schemas['Run']
export type WholeRun = Schemas['WholeRun']
export type RunStatus = Schemas['RunStatus']

export const ACTIVE: readonly RunStatus[] = ['queued', 'waiting', 'running']

export function isActive(status: RunStatus): boolean {
  return ACTIVE.includes(status)
}

export interface RunFilter {
  runbook?: string
  /** One or several, separated by commas. */
  status?: string
  limit?: number
}

const LIST_MS = 4_000

export function useRuns(filter: MaybeRefOrGetter<RunFilter>) {
  return useQuery({
    queryKey: computed(() => ['runs', toValue(filter)]),
    queryFn: ({ signal }) =>
      bodyOf(api.GET('/api/runs', { params: { query: toValue(filter) }, signal })),
    refetchInterval: LIST_MS,
    placeholderData: (previous) => previous,
  })
}

export function runKey(id: string) {
  return ['run', id]
}

export function useRun(id: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: computed(() => runKey(toValue(id))),
    queryFn: ({ signal }) =>
      bodyOf(api.GET('/api/runs/{run_id}', { params: { path: { run_id: toValue(id) } }, signal })),
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
}

export async function getLogLines(id: string, from: number, lines: number, signal?: AbortSignal) {
  const reply = await get(runUrl(id, `log?from=${from}&lines=${lines}`), signal)
  const rows = (await reply.text()).split('\n').filter(Boolean)
  return rows.map((row) => JSON.parse(row) as AnsweredLine)
}

export interface LogHits {
  query: string
  count: number
  hits: AnsweredLine[]
}

export async function searchLog(id: string, query: string, limit: number, signal?: AbortSignal) {
  const url = runUrl(id, `log?q=${encodeURIComponent(query)}&limit=${limit}`)
  return (await (await get(url, signal)).json()) as LogHits
}

export async function getLog(id: string): Promise<Blob> {
  return (await get(runUrl(id, 'log'))).blob()
}

export async function getArtifact(id: string, name: string): Promise<Blob> {
  const path = name.split('/').map(encodeURIComponent).join('/')
  return (await get(runUrl(id, `artifacts/${path}`))).blob()
}

export function useRunDocument(id: MaybeRefOrGetter<string>, enabled: () => boolean) {
  return useQuery({
    queryKey: computed(() => [...runKey(toValue(id)), 'document']),
    queryFn: ({ signal }) =>
      bodyOf(
        api.GET('/api/runs/{run_id}/document', { params: { path: { run_id: toValue(id) } }, signal }),
      ),
    enabled,
  })
}

export type FollowUp = 'retry' | 'resume' | 'undo'

export interface FollowBody {
  env_vars?: Record<string, string>
  reason?: string
  confirm?: string
  from_step?: string
}

/** Starts a run that follows from an ended one; answers what was started, at once. */
export async function followRun(id: string, kind: FollowUp, body: FollowBody, key: string) {
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
