import type { Session } from '@/auth/session'
import { errorOf, unreachable } from './problem'

interface Login {
  access_token: string
  expires_at: string
  subject: string
  roles: string[]
}

/** Issues a development token, if the server has ENABLE_LOGIN on. */
export async function devLogin(subject: string, roles: string[]): Promise<Session> {
  const response = await fetch('/dev-login', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ subject, roles }),
  }).catch(() => {
    throw unreachable()
  })
  if (!response.ok) throw await errorOf(response)
  const login = (await response.json()) as Login
  return {
    token: login.access_token,
    subject: login.subject,
    roles: login.roles,
    expiresAt: Date.parse(login.expires_at),
  }
}
