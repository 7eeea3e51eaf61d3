import { beforeEach, describe, expect, it } from 'vitest'
import { providerAddress, readAnswer, safeTarget } from './provider'

const TOKEN = `e30.${btoa(JSON.stringify({ sub: 'ann', exp: 2_000_000_000 }))}.sig`

function stateOf(address: string): string {
  return new URL(address, 'http://x').searchParams.get('state') ?? ''
}

beforeEach(() => sessionStorage.clear())

describe('an answer of the identity provider', () => {
  it('signs in and leads back', () => {
    const state = stateOf(providerAddress('/runs?status=failed'))
    const answer = readAnswer(`#access_token=${TOKEN}&state=${state}`)
    expect(answer).toMatchObject({ to: '/runs?status=failed', session: { subject: 'ann' } })
  })
  it('is refused with another state, or a second time', () => {
    const state = stateOf(providerAddress('/runs'))
    expect(readAnswer(`#access_token=${TOKEN}&state=other`)).toHaveProperty('failed')
    expect(readAnswer(`#access_token=${TOKEN}&state=${state}`)).toHaveProperty('failed')
  })
  it('is refused where nothing was asked', () => {
    expect(readAnswer(`#access_token=${TOKEN}`)).toHaveProperty('failed')
  })
  it('may be a refusal', () => {
    const state = stateOf(providerAddress('/runs'))
    const answer = readAnswer(`#error=access_denied&error_description=No&state=${state}`)
    expect(answer).toEqual({ failed: 'The identity provider rejected the sign-in: No' })
  })
  it('is not every fragment', () => {
    expect(readAnswer('')).toBeNull()
    expect(readAnswer('#L120')).toBeNull()
  })
})

it.each(['//evil.example', '/\\evil.example', 'https://evil.example', '/\t/evil', '/login?to=/', 5])(
  'never leads to %j',
  (to) => {
    expect(safeTarget(to)).toBe('/runbooks')
  },
)

it('leads to any page of the app', () => {
  expect(safeTarget('/runbook/a/B.md?x=1#L5')).toBe('/runbook/a/B.md?x=1#L5')
})
