import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import { api, authorizedFetch, bodyOf, type Schemas } from './client'
import { errorOf } from './problem'
import type { paths } from './schema'

export type DeviceItem = Schemas['DeviceItem']
export type Device = Schemas['Device']
export type DeviceFilters = Schemas['DeviceFilters']
export type DeviceRunbook = Schemas['DeviceRunbook']
export type DeviceFields = Schemas['DeviceBody']
export type ImportedDevices = Schemas['ImportedDevices']
export type Backup = Schemas['Backup']
export type BlamedLine = Schemas['BlamedLine']

export interface DeviceFilter {
  q?: string
  tag?: string
  site?: string
  group?: string
  vendor?: string
  connection?: string
  kind?: string
  usable?: boolean
}

/** The order of the list: a name, or a time, with `-` the latest first. */
export type DeviceSort = NonNullable<paths['/api/inventory']['get']['parameters']['query']>['sort']

const LIST = ['inventory']
const PAGE = 50
const paramsOf = (device: string) => ({ params: { path: { device } } })

export function fetchDevices(filter: DeviceFilter & { sort?: DeviceSort }, { cursor = '', limit = PAGE } = {}, signal?: AbortSignal) {
  const given = Object.entries({ ...filter, cursor, limit }).filter(([, value]) => value !== '' && value !== undefined)
  return bodyOf(api.GET('/api/inventory', { params: { query: Object.fromEntries(given) }, signal }))
}

/** The devices that match, in order; further pages load on request. */
export function useDevices(filter: MaybeRefOrGetter<DeviceFilter>, sort: MaybeRefOrGetter<DeviceSort>) {
  return useInfiniteQuery({
    queryKey: computed(() => [...LIST, 'list', toValue(filter), toValue(sort)]),
    queryFn: ({ pageParam, signal }) =>
      fetchDevices({ ...toValue(filter), sort: toValue(sort) }, { cursor: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
    // The list stays while another one loads, so that typing doesn't make it flicker.
    placeholderData: (before) => before,
  })
}

/** What devices can be filtered by. */
export function useDeviceFilters(enabled: MaybeRefOrGetter<boolean> = true) {
  return useQuery({
    queryKey: [...LIST, 'filters'],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/inventory-filters', { signal })),
    enabled: computed(() => toValue(enabled)),
  })
}

export function useDevice(name: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: computed(() => [...LIST, 'device', toValue(name)]),
    queryFn: ({ signal }) => bodyOf(api.GET('/api/inventory/{device}', { ...paramsOf(toValue(name)), signal })),
    gcTime: 0,
  })
}

/** The runbooks that the user can execute for a device. */
export function useDeviceRunbooks(name: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: computed(() => [...LIST, 'runbooks', toValue(name)]),
    queryFn: async ({ signal }) =>
      (await bodyOf(api.GET('/api/inventory/{device}/runbooks', { ...paramsOf(toValue(name)), signal }))).runbooks,
  })
}

const SUGGESTED = 20

/** The first devices whose name or address has the text. */
export function useSuggestions(filter: MaybeRefOrGetter<DeviceFilter>) {
  return useQuery({
    queryKey: computed(() => [...LIST, 'suggestions', toValue(filter)]),
    queryFn: async ({ signal }) => (await fetchDevices(toValue(filter), { limit: SUGGESTED }, signal)).devices,
    placeholderData: (before) => before,
  })
}

// -- changes --------------------------------------------------------------------------------------

/** Makes a change to devices, then refetches what is shown of them, or only the lists. */
function useChange<T, R>(mutationFn: (given: T) => Promise<R>, isGone = false) {
  const queries = useQueryClient()
  const stays = (key: readonly unknown[]) => !isGone || key[1] === 'list' || key[1] === 'filters'
  return useMutation({
    mutationFn,
    onSettled: () => queries.invalidateQueries({ queryKey: LIST, predicate: ({ queryKey }) => stays(queryKey) }),
  })
}

/** Refetches everything that is shown of devices. */
export function useRefreshDevices() {
  const queries = useQueryClient()
  return () => void queries.invalidateQueries({ queryKey: LIST })
}

/** 409 if there is one with this name. */
export function useAddDevice() {
  return useChange(({ name, fields }: { name: string; fields: DeviceFields }) =>
    bodyOf(api.PUT('/api/inventory/{device}', { ...paramsOf(name), body: { ...fields, revision: 0 } })),
  )
}

export function useEditDevice(name: () => string) {
  return useChange((body: DeviceFields) =>
    bodyOf(api.PATCH('/api/inventory/{device}', { ...paramsOf(name()), body })),
  )
}

export function useRemoveDevice() {
  // The page that shows it is about to close.
  return useChange((name: string) => bodyOf(api.DELETE('/api/inventory/{device}', paramsOf(name))), true)
}

/** Only checks with `isDry`, and says what would change. */
export function useImportDevices() {
  return useChange(({ csv, isDry }: { csv: string; isDry: boolean }) =>
    bodyOf(api.POST('/api/inventory-import', { body: { csv, dry_run: isDry } })),
  )
}

/** The devices that match as CSV, which can be imported again. */
export async function getDevicesCsv(filter: DeviceFilter): Promise<Blob> {
  const url = new URL('/api/inventory-export', location.origin)
  const given = Object.entries(filter).map(([name, value]) => [name, String(value)])
  url.search = new URLSearchParams([...given, ['format', 'csv']] as [string, string][]).toString()
  const response = await authorizedFetch(new Request(url))
  if (!response.ok) throw await errorOf(response)
  return response.blob()
}

// -- stored configurations ------------------------------------------------------------------------

/** The latest stored configurations, the latest first. */
export function useBackups(name: MaybeRefOrGetter<string>, most: number) {
  return useQuery({
    queryKey: computed(() => [...LIST, 'backups', toValue(name), most]),
    queryFn: async ({ signal }) => {
      const params = { path: { device: toValue(name) }, query: { limit: most } }
      return (await bodyOf(api.GET('/api/inventory/{device}/backups', { params, signal }))).backups
    },
  })
}

/** What differs between two of them; without a version, what the latest changed. */
export function useBackupDiff(name: MaybeRefOrGetter<string>, of: MaybeRefOrGetter<{ before?: string; after?: string }>) {
  return useQuery({
    queryKey: computed(() => [...LIST, 'diff', toValue(name), toValue(of)]),
    queryFn: ({ signal }) => {
      const params = { path: { device: toValue(name) }, query: toValue(of) }
      return bodyOf(api.GET('/api/inventory/{device}/diff', { params, signal }))
    },
  })
}

/** The lines of a version, the latest by default, each with the change that brought it. */
export function useBlame(name: MaybeRefOrGetter<string>, version: MaybeRefOrGetter<string | undefined>) {
  return useQuery({
    queryKey: computed(() => [...LIST, 'blame', toValue(name), toValue(version)]),
    queryFn: ({ signal }) => {
      const given = toValue(version)
      const params = { path: { device: toValue(name) }, query: given ? { version: given } : {} }
      return bodyOf(api.GET('/api/inventory/{device}/blame', { params, signal }))
    },
  })
}
