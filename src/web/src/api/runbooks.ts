import { useQuery } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import { useChanges } from './changes'
import { api, bodyOf, type Schemas } from './client'

export type Runbook = Schemas['RunbookContent']
export type InputItem = Schemas['InputItem']

/** A newer server also says what the runbook is about. */
export type ListedRunbook = Schemas['ListedRunbook'] & { description?: string }

/** Runbooks on disk may change without any run. */
const LIST_MS = 30_000

export function useRunbooks() {
  useChanges()
  return useQuery({
    queryKey: ['runbooks'],
    queryFn: async ({ signal }) =>
      (await bodyOf(api.GET('/api/runbooks', { signal }))).runbooks as ListedRunbook[],
    refetchInterval: LIST_MS,
  })
}

export function useRunbook(ref: MaybeRefOrGetter<string>, enabled: () => boolean = () => true) {
  return useQuery({
    queryKey: computed(() => ['runbook', toValue(ref)]),
    queryFn: ({ signal }) =>
      bodyOf(api.GET('/api/runbooks/{ref}', { params: { path: { ref: toValue(ref) } }, signal })),
    enabled,
  })
}

export interface Execution {
  env_vars: Record<string, string>
  reason?: string
  confirm?: string
  dry_run?: boolean
}

/** Starts a run and answers its id at once; the run's page follows it. */
export async function executeRunbook(ref: string, body: Execution, key: string): Promise<string> {
  const { data } = await api.POST('/api/runbooks/{ref}/execute', {
    params: { path: { ref } },
    body,
    headers: { Prefer: 'respond-async', 'Idempotency-Key': key, Accept: 'application/json' },
  })
  return (data as unknown as { run_id: string }).run_id
}
