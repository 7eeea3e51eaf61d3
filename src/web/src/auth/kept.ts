export interface Session {
  token: string
  subject: string
  roles: string[]
  /** Milliseconds since the epoch. */
  expiresAt: number
}

export const KEY = 'runbook.session'

/** The session stored in this tab, unless it has expired. */
export function keptSession(): Session | null {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as Session | null
    return kept && kept.expiresAt > Date.now() ? kept : null
  } catch {
    return null
  }
}
