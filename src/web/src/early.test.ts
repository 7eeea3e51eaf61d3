import { beforeEach, expect, it, vi } from 'vitest'
import { KEY } from './auth/kept'
import { askEarly, earlyAnswer, sourceOf } from './early'

const session = { token: 'abc', subject: 'ann', roles: [], expiresAt: Date.now() + 60_000 }
const request = (path: string, token = 'abc', method = 'GET') =>
  new Request(new URL(path, location.origin), { method, headers: { Authorization: `Bearer ${token}` } })

function serve(status = 200) {
  const ask = vi.fn(async () => new Response('{}', { status }))
  vi.stubGlobal('fetch', ask)
  return ask
}

beforeEach(() => sessionStorage.setItem(KEY, JSON.stringify(session)))

it.each([
  ['/', '/api/runbooks'],
  ['/runbooks', '/api/runbooks'],
  ['/runbook/net/Push%20it.md', '/api/runbooks/net/Push%20it.md'],
  ['/runbook/', null],
  ['/runs', null],
  ['/login', null],
])('knows that %s shows %s', (path, source) => {
  expect(sourceOf(path)).toBe(source)
})

it('answers once what was asked for', async () => {
  const ask = serve()
  askEarly('/runbooks')
  expect(ask).toHaveBeenCalledWith(`${location.origin}/api/runbooks`, {
    headers: { Authorization: 'Bearer abc' },
  })
  expect((await earlyAnswer(request('/api/runbooks')))?.status).toBe(200)
  expect(await earlyAnswer(request('/api/runbooks'))).toBeNull()
})

it.each([
  request('/api/runs'),
  request('/api/runbooks?q=a'),
  request('/api/runbooks', 'of-someone-else'),
  request('/api/runbooks', 'abc', 'POST'),
])('does not answer another request', async (other) => {
  serve()
  askEarly('/runbooks')
  expect(await earlyAnswer(other)).toBeNull()
})

it('leaves failures to the app', async () => {
  serve(503)
  askEarly('/runbooks')
  expect(await earlyAnswer(request('/api/runbooks'))).toBeNull()
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  askEarly('/runbooks')
  expect(await earlyAnswer(request('/api/runbooks'))).toBeNull()
})

it('gives no answer that is old', async () => {
  serve()
  askEarly('/runbooks')
  vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 31_000)
  expect(await earlyAnswer(request('/api/runbooks'))).toBeNull()
})

it('asks for nothing where nobody is signed in', () => {
  sessionStorage.clear()
  const ask = serve()
  askEarly('/runbooks')
  expect(ask).not.toHaveBeenCalled()
})
