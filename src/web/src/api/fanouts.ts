import { keepPreviousData, useInfiniteQuery } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import { api, authorizedFetch, bodyOf, type Schemas } from './client'
import { errorOf } from './problem'

export type Fanout = Schemas['Fanout']
export type FanoutDevice = Schemas['FanoutDevice']
export type DeviceState = FanoutDevice['state']

const PAGE = 50

/** The devices that a run works on, in order; further pages load on request. */
export function useRunDevices(id: MaybeRefOrGetter<string>, state: MaybeRefOrGetter<DeviceState | ''>) {
  return useInfiniteQuery({
    queryKey: computed(() => ['run-devices', toValue(id), toValue(state)]),
    queryFn: ({ pageParam, signal }) => {
      const given = Object.entries({ state: toValue(state), cursor: pageParam, limit: PAGE })
      const query = Object.fromEntries(given.filter(([, value]) => value !== ''))
      const params = { path: { run_id: toValue(id) }, query }
      return bodyOf(api.GET('/api/runs/{run_id}/devices', { params, signal }))
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  })
}

export function pauseRun(id: string, isPaused: boolean) {
  const params = { path: { run_id: id } }
  return isPaused
    ? bodyOf(api.POST('/api/runs/{run_id}/pause', { params }))
    : bodyOf(api.POST('/api/runs/{run_id}/continue', { params }))
}

/** The table of all devices as CSV. */
export async function getDevicesTable(id: string): Promise<Blob> {
  const url = new URL(`/api/runs/${encodeURIComponent(id)}/devices.csv`, location.origin)
  const response = await authorizedFetch(new Request(url))
  if (!response.ok) throw await errorOf(response)
  return response.blob()
}
