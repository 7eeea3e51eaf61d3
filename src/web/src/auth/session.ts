import { reactive } from 'vue'
import { KEY, keptSession, type Session } from './kept'

export type { Session }

/** The signed-in user, in memory and in this tab's storage so that it survives a reload. */
export const session = reactive<{ current: Session | null }>({ current: keptSession() })

export function signIn(signedIn: Session): void {
  session.current = signedIn
  sessionStorage.setItem(KEY, JSON.stringify(signedIn))
}

export function signOut(): void {
  session.current = null
  sessionStorage.removeItem(KEY)
}

/** The content of a token, for display only: the server verifies it. */
export function readToken(token: string): Session | null {
  try {
    const part = (token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/')
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0))
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>
    if (typeof claims.sub !== 'string' || typeof claims.exp !== 'number') return null
    const expiresAt = claims.exp * 1000
    return { token, subject: claims.sub, roles: rolesOf(claims.roles), expiresAt }
  } catch {
    return null
  }
}

function rolesOf(claim: unknown): string[] {
  if (Array.isArray(claim)) return claim.map(String)
  if (typeof claim !== 'string') return []
  return claim.split(',').map((role) => role.trim()).filter(Boolean)
}
