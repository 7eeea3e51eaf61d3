import { beforeEach, expect, it } from 'vitest'
import { readToken, session, signIn, signOut } from './session'

function tokenOf(claims: object): string {
  const bytes = new TextEncoder().encode(JSON.stringify(claims))
  const part = btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_')
  return `e30.${part.replace(/=+$/, '')}.sig`
}

beforeEach(() => sessionStorage.clear())

it('reads who a token is for', () => {
  const token = tokenOf({ sub: 'änn', exp: 1_800_000_000, roles: ['sre', 'api'] })
  expect(readToken(token)).toEqual({
    token,
    subject: 'änn',
    roles: ['sre', 'api'],
    expiresAt: 1_800_000_000_000,
  })
})

it('reads roles that stand in one text, or nowhere', () => {
  expect(readToken(tokenOf({ sub: 'a', exp: 1, roles: 'sre, api' }))?.roles).toEqual(['sre', 'api'])
  expect(readToken(tokenOf({ sub: 'a', exp: 1 }))?.roles).toEqual([])
})

it.each(['', 'a.b.c', 'abc', tokenOf({ sub: 'a' }), tokenOf({ exp: 1 })])(
  'takes %j for no token',
  (text) => {
    expect(readToken(text)).toBeNull()
  },
)

it('keeps the session in this tab only, until signing out', () => {
  signIn({ token: 't', subject: 'ann', roles: [], expiresAt: 1 })
  expect(sessionStorage.getItem('runbook.session')).toContain('ann')
  expect(localStorage).toHaveLength(0)
  signOut()
  expect(session.current).toBeNull()
  expect(sessionStorage).toHaveLength(0)
})
