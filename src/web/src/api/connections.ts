import { useMutation, useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import { api, bodyOf, type Schemas } from './client'
import type { InputProperty } from './runbooks'

export type Connection = Schemas['Connection']
export type ConnectionCheck = Schemas['ConnectionCheck']
export type NewConnection = Schemas['NewConnectionBody']
export type ConnectionChanges = Schemas['ConnectionChangesBody']

export interface ValuesSchema {
  properties: Record<string, InputProperty & { title?: string; writeOnly?: boolean }>
  required: string[]
  /** At least one of these groups has to be given. */
  anyOf?: { required: string[] }[]
}

/** A kind of connection, such as `netbox`. */
export interface Kind {
  name: string
  title: string
  schema: ValuesSchema
  /** Whether its SSH host keys are kept, and can be trusted anew. */
  host_keys: boolean
}

const LIST = ['connections']
const paramsOf = (connection: string) => ({ params: { path: { connection } } })

export function useConnections() {
  return useQuery({
    queryKey: LIST,
    queryFn: async ({ signal }) => (await bodyOf(api.GET('/api/connections', { signal }))).connections,
  })
}

export function useConnection(name: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: computed(() => [...LIST, toValue(name)]),
    queryFn: ({ signal }) => bodyOf(api.GET('/api/connections/{connection}', { ...paramsOf(toValue(name)), signal })),
    // One that was removed, or changed by others, doesn't flash up again.
    gcTime: 0,
  })
}

/** What people call a kind, such as `NetBox`. */
export function kindTitle(kind: string, kinds: readonly Kind[] = []): string {
  return kinds.find(({ name }) => name === kind)?.title ?? kind
}

/** They come with the server, so they don't change. Only for those who may see connections. */
export function useKinds(isNeeded: () => boolean = () => true) {
  return useQuery({
    enabled: isNeeded,
    queryKey: ['connection-kinds'],
    queryFn: async ({ signal }) =>
      (await bodyOf(api.GET('/api/connection-kinds', { signal }))).kinds as unknown as Kind[],
    staleTime: Infinity,
  })
}

/** Makes a change to connections, then refetches them, or only the list, even if it failed. */
function useChange<T, R>(mutationFn: (given: T) => Promise<R>, exact = false) {
  const queries = useQueryClient()
  return useMutation({
    // What was sent may have secrets.
    gcTime: 0,
    mutationFn,
    onSettled: () => queries.invalidateQueries({ queryKey: LIST, exact }),
  })
}

export function useAddConnection() {
  return useChange((body: NewConnection) => bodyOf(api.POST('/api/connections', { body })))
}

export function useEditConnection(name: () => string) {
  return useChange((body: ConnectionChanges) =>
    bodyOf(api.PATCH('/api/connections/{connection}', { ...paramsOf(name()), body })),
  )
}

export function useRemoveConnection() {
  // The page that shows it is about to close.
  const exact = true
  return useChange((name: string) => bodyOf(api.DELETE('/api/connections/{connection}', paramsOf(name))), exact)
}

/** Asks the system whether it answers and accepts the credentials. */
export function useCheckConnection() {
  return useChange((name: string) => bodyOf(api.POST('/api/connections/{connection}/check', paramsOf(name))))
}

/** Trusts the host keys that SSH servers show now; with a fingerprint, only this one. */
export function useRetrustConnection() {
  return useChange(({ name, fingerprint }: { name: string; fingerprint: string }) =>
    bodyOf(
      api.POST('/api/connections/{connection}/retrust', {
        ...paramsOf(name),
        body: fingerprint ? { fingerprint } : {},
      }),
    ),
  )
}
