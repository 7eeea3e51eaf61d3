import { useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'
import { session } from '@/auth/session'
import { api, bodyOf } from './client'

const CONFIG = {
  // Another user of this tab has other claims and permissions.
  queryKey: computed(() => ['config', session.current?.token]),
  queryFn: ({ signal }: { signal: AbortSignal }) => bodyOf(api.GET('/api/config', { signal })),
  enabled: computed(() => session.current !== null),
}

export function useConfig() {
  return useQuery(CONFIG)
}

/** What the user may do, for some runbook or for all. The server decides; pages only hide what would be refused. */
export function usePermissions() {
  const { data, isError } = useQuery({ ...CONFIG, staleTime: Infinity })
  return {
    /** Undefined until known. */
    can(permission: string): boolean | undefined {
      return isError.value ? false : data.value?.token.permissions.includes(permission)
    },
  }
}
