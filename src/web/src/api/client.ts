import createClient, { type Middleware } from 'openapi-fetch'
import { session, signOut } from '@/auth/session'
import { errorOf, unreachable } from './problem'
import type { components, paths } from './schema'

export type Schemas = components['schemas']

const listeners = new Set<() => void>()

/** Calls back when the server no longer takes the token. */
export function onSignedOut(callback: () => void): () => void {
  listeners.add(callback)
  return () => listeners.delete(callback)
}

/** The token has ended: forgets it and tells the listeners, for one that is still ours. */
export function tokenRefused(token: string): void {
  if (session.current?.token !== token) return
  signOut()
  for (const callback of listeners) callback()
}

/** fetch with the token; throws ApiError where the server is not reached or refuses. */
export async function authorizedFetch(input: Request): Promise<Response> {
  const token = session.current?.token
  if (token) input.headers.set('Authorization', `Bearer ${token}`)
  let response: Response
  try {
    response = await fetch(input)
  } catch (error) {
    if (input.signal.aborted) throw error
    throw unreachable()
  }
  if (response.status === 401 && token) tokenRefused(token)
  return response
}

const refusals: Middleware = {
  async onResponse({ response }) {
    if (!response.ok) throw await errorOf(response)
  },
}

/** A runbook's ref keeps its slashes: proxies treat an encoded one in ways of their own. */
export function fillPath(path: string, values: Record<string, unknown>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) =>
    String(values[name]).split('/').map(encodeURIComponent).join('/'),
  )
}

/** The API, typed by its own document. Every failure is thrown as an ApiError. */
export const api = createClient<paths>({
  baseUrl: location.origin,
  fetch: authorizedFetch,
  pathSerializer: fillPath,
})
api.use(refusals)

/** The body of a reply that was ok. */
export async function bodyOf<T>(call: Promise<{ data?: T }>): Promise<T> {
  return (await call).data as T
}
