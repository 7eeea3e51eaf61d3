import { useQuery } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import { api, bodyOf, type Schemas } from './client'

export type Run = Schemas['Run']
export type WholeRun = Schemas['WholeRun']
export type RunStatus = Schemas['RunStatus']

export const ACTIVE: readonly RunStatus[] = ['queued', 'waiting', 'running']

export function isActive(status: RunStatus): boolean {
  return ACTIVE.includes(status)
}

export interface RunFilter {
  runbook?: string[]
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
