import { randomText } from '@/shared/random'
import { readToken, type Session } from './session'

/**
 * Signing in at an identity provider: we send a random `state` and where to come back to, it
 * answers in the fragment of the address, which no server and no log sees.
 */
const STATE_KEY = 'runbook.state'

interface Waiting {
  state: string
  to: string
}

/** Where to send the browser; `to` is the page to go on with afterwards. */
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

/** What the provider has answered; null where the fragment is no answer. */
export function readAnswer(fragment: string): Answer {
  const answer = new URLSearchParams(fragment.replace(/^#/, ''))
  const token = answer.get('access_token')
  const refused = answer.get('error_description') ?? answer.get('error')
  if (token === null && refused === null) return null
  const waiting = takeWaiting()
  if (waiting === null || answer.get('state') !== waiting.state) {
    return { failed: 'This answer belongs to no sign-in that was begun in this tab. Sign in again.' }
  }
  if (token === null) return { failed: `The identity provider refused: ${refused}` }
  const session = readToken(token)
  if (session === null) return { failed: 'The identity provider sent a token that is none.' }
  return { session, to: safeTarget(waiting.to) }
}

/** Only once: an answer that comes again is not one of ours. */
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
