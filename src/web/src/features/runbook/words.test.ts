import { expect, it } from 'vitest'
import type { Policy } from '@/api/runbooks'
import { claimsOf, policyRules, spanText } from './words'

it('writes spans of time', () => {
  expect([0, 0.5, 90, 300, 5400, 90_061].map(spanText)).toEqual([
    '0 s', '0.5 s', '1 min 30 s', '5 min', '1 h 30 min', '1 d 1 h 1 min 1 s',
  ])
})

it('says what a policy means', () => {
  const policy: Policy = {
    timeout_seconds: 300, locks: ['machine:${MACHINE}'], on_busy: 'fail', concurrency: 1,
    retry: { attempts: 3, backoff_seconds: 5, on: [75, 111] }, on_failure: 'undo', queue: 'default',
    dry_run: false, confirm: 'drain ${MACHINE}', success_codes: [0, 3],
  }
  const rules = Object.fromEntries(policyRules(policy).map((rule) => [rule.name, rule.text]))
  expect(Object.keys(rules)).toEqual([
    'Confirm', 'Dry run', 'Time limit', 'Locks', 'At once', 'Retry', 'On failure', 'Success',
  ])
  expect(rules['At once']).toBe('At most one run of this runbook; one more fails at once.')
  expect(rules.Retry).toContain('up to 3 times if it ends with 75 or 111, after 5 s first')
})

it('tells the claims that are there from those that are not', () => {
  const claims = { roles: ['sre', 'api'], team: ['platform'] }
  expect(claimsOf(claims, ['team=web (required: platform)'])).toEqual([
    { name: 'roles', allowed: ['sre', 'api'], given: null },
    { name: 'team', allowed: ['platform'], given: 'web' },
  ])
  expect(claimsOf({ team: ['platform'] }, ['team (not present)'])[0]?.given).toBe('')
})
