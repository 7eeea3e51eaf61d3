import { beforeEach, expect, it, vi } from 'vitest'
import { session, signIn } from '@/auth/session'
import { api, fillPath, onSignedOut } from './client'
import { ApiError } from './problem'

beforeEach(() => signIn({ token: 'tok', subject: 'ann', roles: [], expiresAt: Date.now() + 1e6 }))

it('keeps the slashes of a ref', () => {
  expect(fillPath('/api/runbooks/{ref}/execute', { ref: 'a b/C.md' })).toBe(
    '/api/runbooks/a%20b/C.md/execute',
  )
})

it('sends the token', async () => {
  const fetched = vi.fn((request: Request) => {
    expect(request.headers.get('Authorization')).toBe('Bearer tok')
    return Promise.resolve(Response.json({ success: true, runbooks: [] }))
  })
  vi.stubGlobal('fetch', fetched)
  await api.GET('/api/runbooks')
  expect(fetched).toHaveBeenCalledOnce()
})

it('forgets a token that is refused, and tells', async () => {
  vi.stubGlobal('fetch', () => Promise.resolve(Response.json({ detail: 'No.' }, { status: 401 })))
  const told = vi.fn()
  const stop = onSignedOut(told)
  await expect(api.GET('/api/runbooks')).rejects.toMatchObject({ status: 401, message: 'No.' })
  stop()
  expect(told).toHaveBeenCalledOnce()
  expect(session.current).toBeNull()
})

it('says when the server is not reached', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('network')))
  const error = await api.GET('/api/runbooks').catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(ApiError)
  expect(error).toMatchObject({ code: 'unreachable', passing: true })
})
