import { useQuery } from '@tanstack/vue-query'
import { api, bodyOf, type Schemas } from './client'

export type ServerStatus = Schemas['Status']

const AGAIN_MS = 15_000

export function useStatus() {
  return useQuery({
    queryKey: ['status'],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/status', { signal })),
    refetchInterval: AGAIN_MS,
  })
}
