import { expect, it } from 'vitest'
import type { InputItem, Policy } from '@/api/runbooks'
import { policyRules } from './policy'

it('says what a policy means', () => {
  const policy: Policy = {
    timeout_seconds: 300, locks: ['machine:${MACHINE}'], on_busy: 'fail', concurrency: 1,
    retry: { attempts: 3, backoff_seconds: 5, on: [75, 111] }, on_failure: 'undo', queue: 'default',
    dry_run: false, confirm: 'drain ${MACHINE}', success_codes: [0, 3], provides_choices: false, updates_inventory: false,
    recover: { runbook: 'End.md', unless: [40], attempts: 5, backoff_seconds: 60 },
  }
  const rules = Object.fromEntries(policyRules({ policy, inputs: [] }).map((rule) => [rule.name, rule.text]))
  expect(Object.keys(rules)).toEqual([
    'Confirmation', 'Dry run', 'Time limit', 'Locks', 'Concurrency', 'Retry', 'On failure', 'Recovery', 'Success codes',
  ])
  const inputs = [{ name: 'MACHINE', label: 'Machine' }] as InputItem[]
  const confirmation = (confirm: string) => policyRules({ policy: { ...policy, confirm }, inputs })[0]
  expect(confirmation('drain ${MACHINE}')?.code).toEqual(['drain <Machine>'])
  expect(confirmation('${MACHINE}')).toMatchObject({ text: expect.stringContaining('value of Machine') })
  expect(rules.Concurrency).toBe('Up to one run of this runbook at a time; another fails immediately.')
  expect(rules.Retry).toContain('up to 3 times on exit code 75 or 111, 5 s apart at first')
})
