import { expect, it } from 'vitest'
import { claimsOf } from './descriptions'

it('tells the claims that are there from those that are not', () => {
  const claims = { roles: ['sre', 'api'], team: ['platform'] }
  const requirements = [{ claim: 'team', wanted: ['platform'], given: ['web'] }]
  expect(claimsOf({ claims, requirements })).toEqual([
    { name: 'roles', allowed: ['sre', 'api'], given: null },
    { name: 'team', allowed: ['platform'], given: 'web' },
  ])
  const absent = [{ claim: 'team', wanted: ['platform'], given: null }]
  expect(claimsOf({ claims, requirements: absent })[1]?.given).toBe('')
})
