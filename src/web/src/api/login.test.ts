import { expect, it, vi } from 'vitest'
import { devLogin } from './login'

const REPLY = {
  access_token: 'tok',
  expires_at: '2026-01-31T08:00:00Z',
  subject: 'dev-sre',
  roles: ['sre'],
}

it('asks for a token, and reads when it ends', async () => {
  const fetched = vi.fn<typeof fetch>(() => Promise.resolve(Response.json(REPLY)))
  vi.stubGlobal('fetch', fetched)
  expect(await devLogin('dev-sre', ['sre'])).toEqual({
    token: 'tok',
    subject: 'dev-sre',
    roles: ['sre'],
    expiresAt: Date.UTC(2026, 0, 31, 8),
  })
  const [path, options] = fetched.mock.calls[0] ?? []
  expect([path, options?.method]).toEqual(['/dev-login', 'POST'])
  expect(JSON.parse(String(options?.body))).toEqual({ subject: 'dev-sre', roles: ['sre'] })
})

it('says why there is none', async () => {
  const refused = Response.json({ detail: 'Not here.' }, { status: 404 })
  vi.stubGlobal('fetch', () => Promise.resolve(refused))
  await expect(devLogin('ann', [])).rejects.toMatchObject({ status: 404, message: 'Not here.' })
})

it('says when the server is not reached', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('network')))
  await expect(devLogin('ann', [])).rejects.toMatchObject({ code: 'unreachable' })
})
