import { useInfiniteQuery, useQuery } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import { api, bodyOf, type Schemas } from './client'

export type DeviceItem = Schemas['DeviceItem']
export type Device = Schemas['Device']
export type DeviceFilters = Schemas['DeviceFilters']
export type DeviceRunbook = Schemas['DeviceRunbook']

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

const LIST = ['inventory']
const PAGE = 50
const paramsOf = (device: string) => ({ params: { path: { device } } })

export function fetchDevices(filter: DeviceFilter, { cursor = '', limit = PAGE } = {}, signal?: AbortSignal) {
  const given = Object.entries({ ...filter, cursor, limit }).filter(([, value]) => value !== '' && value !== undefined)
  return bodyOf(api.GET('/api/inventory', { params: { query: Object.fromEntries(given) }, signal }))
}

/** The devices that match, by name; further pages load on request. */
export function useDevices(filter: MaybeRefOrGetter<DeviceFilter>) {
  return useInfiniteQuery({
    queryKey: computed(() => [...LIST, 'list', toValue(filter)]),
    queryFn: ({ pageParam, signal }) => fetchDevices(toValue(filter), { cursor: pageParam }, signal),
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
