import { useQuery } from '@tanstack/vue-query'
import { errorOf, unreachable } from './problem'

/** Public server facts, for the sign-in page. */
export interface PublicFacts {
  header: string
  dev_login: boolean
  idp_login_uri: string
  version: string
}

/** Older servers lack this endpoint: then only an attempt shows whether the development login is on. */
const UNKNOWN: PublicFacts = { header: '', dev_login: true, idp_login_uri: '/login', version: '' }

async function fetchFacts(): Promise<PublicFacts> {
  const response = await fetch('/api/public').catch(() => {
    throw unreachable()
  })
  if (response.status === 404) return UNKNOWN
  if (!response.ok) throw await errorOf(response)
  return (await response.json()) as PublicFacts
}

export function usePublicFacts() {
  return useQuery({ queryKey: ['public'], queryFn: fetchFacts, staleTime: Infinity })
}
