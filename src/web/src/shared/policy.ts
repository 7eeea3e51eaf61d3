import type { Policy, Runbook } from '@/api/runbooks'
import { spanText } from '@/shared/time/format'

export interface Rule {
  name: string
  text: string
  /** Lock names and confirmation texts, verbatim. */
  code?: string[]
}

/** The policy in words. Defaults are omitted, except for the three that matter most. */
export function policyRules({ policy, inputs }: Pick<Runbook, 'policy' | 'inputs'>): Rule[] {
  if (!policy) return []
  const rules: Rule[] = [
    {
      name: 'Dry run',
      text: policy.dry_run
        ? 'Supported: the script shows what it would change.'
        : 'Not supported: a dry run only checks inputs and shows the scripts.',
    },
    {
      name: 'Time limit',
      text: policy.timeout_seconds === null ? 'Server default.' : `${spanText(policy.timeout_seconds)} for all steps.`,
    },
  ]
  if (policy.confirm) rules.unshift(confirmRule(policy.confirm, inputs))
  const busy = policy.on_busy === 'wait' ? 'waits' : 'fails immediately'
  if (policy.locks.length) {
    rules.push({ name: 'Locks', text: `If another run holds a lock, the run ${busy}.`, code: policy.locks })
  }
  if (policy.concurrency !== null) {
    rules.push({ name: 'Concurrency', text: `Up to ${counted(policy.concurrency, 'run')} of this runbook at a time; another ${busy}.` })
  }
  if (policy.retry.attempts > 1) rules.push({ name: 'Retry', text: `Each step ${retryText(policy.retry)}.` })
  rules.push({
    name: 'On failure',
    text: policy.on_failure === 'undo' ? 'Undoes completed steps, last one first.' : 'Stops; nothing is undone.',
  })
  if (policy.recover) rules.push({ name: 'Recovery', text: 'If a run ends half way, this ends what it began:', code: [policy.recover.runbook] })
  if (policy.success_codes.join() !== '0') {
    rules.push({ name: 'Success codes', text: `Exit codes ${policy.success_codes.join(', ')}.` })
  }
  if (policy.updates_inventory) rules.push({ name: 'Inventory', text: 'Runs report devices, and update them.' })
  if (policy.queue && policy.queue !== 'default') rules.push({ name: 'Queue', text: '', code: [policy.queue] })
  return rules
}

const PLACEHOLDER = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g

/** Names inputs by their labels: `drain <Machine>`, or `the value of Machine` if that is all. */
function confirmRule(confirm: string, inputs: Runbook['inputs']): Rule {
  const labelled = (name: string) => inputs.find((input) => input.name === name)?.label || name
  const text = confirm.trim().replace(PLACEHOLDER, (_, name: string) => `<${labelled(name)}>`)
  const [, only] = /^\$\{(\w+)\}$/.exec(confirm.trim()) ?? []
  if (only) return { name: 'Confirmation', text: `Type the value of ${labelled(only)} to confirm.` }
  return { name: 'Confirmation', text: 'Type to confirm:', code: [text] }
}

function counted(n: number, word: string): string {
  return n === 1 ? `one ${word}` : `${n} ${word}s`
}

export function retryText(retry: Policy['retry']): string {
  const pause = retry.backoff_seconds ? `, ${spanText(retry.backoff_seconds)} apart at first, doubling each time` : ''
  const codes = retry.on ? ` on exit code ${retry.on.join(' or ')}` : ''
  return `is tried up to ${retry.attempts} times${codes}${pause}`
}
