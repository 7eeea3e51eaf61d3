import { useQuery } from '@tanstack/vue-query'
import { api, bodyOf } from './client'

export function useConfig() {
  return useQuery({
    queryKey: ['config'],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/config', { signal })),
  })
}
