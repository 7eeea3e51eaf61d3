import { useQuery } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import { useChanges } from './changes'
import { api, bodyOf, type Schemas } from './client'

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

export function useRun(id: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: computed(() => runKey(toValue(id))),
    queryFn: ({ signal }) => fetchRun(toValue(id), signal),
  })
}

export function cancelRun(id: string) {
  return bodyOf(api.POST('/api/runs/{run_id}/cancel', { params: { path: { run_id: id } } }))
}
