import createClient, { type Middleware } from 'openapi-fetch'
import { session, signOut } from '@/auth/session'
import { earlyAnswer } from '@/early'
import { escapedRef } from '@/shared/links'
import { errorOf, silent, unreachable } from './problem'
import type { components, paths } from './schema'

export type Schemas = components['schemas']

const listeners = new Set<() => void>()

/** Calls back when the server no longer accepts the token. */
export function onSignedOut(callback: () => void): () => void {
  listeners.add(callback)
  return () => listeners.delete(callback)
}

/** Forgets an expired token and notifies the listeners, if it is still the current one. */
export function tokenRefused(token: string): void {
  if (session.current?.token !== token) return
  signOut()
  for (const callback of listeners) callback()
}

/** How long to wait for response headers; proxies would not wait longer. */
const PATIENCE_S = 60

/** fetch with the token. Throws ApiError if the server is unreachable or does not respond. */
export async function authorizedFetch(input: Request): Promise<Response> {
  const token = session.current?.token
  if (token) input.headers.set('Authorization', `Bearer ${token}`)
  const response = (await earlyAnswer(input)) ?? (await patiently(input))
  if (response.status === 401 && token) tokenRefused(token)
  return response
}

async function patiently(input: Request): Promise<Response> {
  const patience = new AbortController()
  const timer = setTimeout(() => patience.abort(), PATIENCE_S * 1000)
  try {
    return await fetch(input, { signal: AbortSignal.any([input.signal, patience.signal]) })
  } catch (error) {
    if (input.signal.aborted) throw error
    throw patience.signal.aborted ? silent(PATIENCE_S) : unreachable()
  } finally {
    clearTimeout(timer)
  }
}

const refusals: Middleware = {
  async onResponse({ response }) {
    if (!response.ok) throw await errorOf(response)
  },
}

/** Keeps the slashes of a runbook's ref, because proxies disagree on encoded ones. */
export function fillPath(path: string, values: Record<string, unknown>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => escapedRef(String(values[name])))
}

/** The API client, typed by the OpenAPI document. Throws ApiError on every failure. */
export const api = createClient<paths>({
  baseUrl: location.origin,
  fetch: authorizedFetch,
  pathSerializer: fillPath,
})
api.use(refusals)

/** The body of a successful response. */
export async function bodyOf<T>(call: Promise<{ data?: T }>): Promise<T> {
  return (await call).data as T
}
