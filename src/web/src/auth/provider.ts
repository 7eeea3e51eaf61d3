import { randomText } from '@/shared/random'
import { readToken, type Session } from './session'

/**
 * Sign-in with an identity provider: we send a random `state` and a return URL; it responds in the
 * URL fragment, which no server or log sees.
 */
const STATE_KEY = 'runbook.state'

interface Waiting {
  state: string
  to: string
}

/** The URL to send the browser to; `to` is the page to return to. */
export function providerAddress(to: string): string {
  const waiting: Waiting = { state: randomText(), to }
  sessionStorage.setItem(STATE_KEY, JSON.stringify(waiting))
  const query = new URLSearchParams({
    return_uri: `${location.origin}/login`,
    state: waiting.state,
  })
  return `/auth/login?${query}`
}

export type Answer = { session: Session; to: string } | { failed: string } | null

/** The provider's response; null if the fragment is not one. */
export function readAnswer(fragment: string): Answer {
  const answer = new URLSearchParams(fragment.replace(/^#/, ''))
  const token = answer.get('access_token')
  const refused = answer.get('error_description') ?? answer.get('error')
  if (token === null && refused === null) return null
  const waiting = takeWaiting()
  if (waiting === null || answer.get('state') !== waiting.state) {
    return { failed: 'This tab did not start that sign-in. Sign in again.' }
  }
  if (token === null) return { failed: `The identity provider rejected the sign-in: ${refused}` }
  const session = readToken(token)
  if (session === null) return { failed: 'The identity provider sent an invalid token.' }
  return { session, to: safeTarget(waiting.to) }
}

/** Works once: a repeated response is not ours. */
function takeWaiting(): Waiting | null {
  const kept = sessionStorage.getItem(STATE_KEY)
  sessionStorage.removeItem(STATE_KEY)
  try {
    return kept === null ? null : (JSON.parse(kept) as Waiting)
  } catch {
    return null
  }
}

/** A page of this app, never another site. */
export function safeTarget(to: unknown): string {
  if (typeof to !== 'string' || !to.startsWith('/') || /^\/[/\\]|[\p{Cc}\\]/u.test(to)) {
    return '/runbooks'
  }
  return to.startsWith('/login') ? '/runbooks' : to
}
