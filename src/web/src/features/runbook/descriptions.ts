import type { InputItem, Policy, Runbook, Step } from '@/api/runbooks'
import { sourceText } from '@/shared/inputs/fields'
import { spanText } from '@/shared/time/format'

export interface Rule {
  name: string
  text: string
  /** Lock names and confirmation texts, verbatim. */
  code?: string[]
}

/** The policy in words. Defaults are omitted, except for the three that matter most. */
export function policyRules(policy: Policy): Rule[] {
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
  if (policy.confirm) rules.unshift({ name: 'Confirmation', text: 'Type to confirm:', code: [policy.confirm] })
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
  if (policy.success_codes.join() !== '0') {
    rules.push({ name: 'Success codes', text: `Exit codes ${policy.success_codes.join(', ')}.` })
  }
  if (policy.queue && policy.queue !== 'default') rules.push({ name: 'Queue', text: '', code: [policy.queue] })
  return rules
}

function counted(n: number, word: string): string {
  return n === 1 ? `one ${word}` : `${n} ${word}s`
}

export function retryText(retry: Policy['retry']): string {
  const pause = retry.backoff_seconds ? `, ${spanText(retry.backoff_seconds)} apart at first, doubling each time` : ''
  const codes = retry.on ? ` on exit code ${retry.on.join(' or ')}` : ''
  return `is tried up to ${retry.attempts} times${codes}${pause}`
}

export function stepNotes(step: Step): string[] {
  return [
    ...(step.conditions.length ? [`only if ${step.conditions.join(' and ')}`] : []),
    ...(step.timeout_seconds === null ? [] : [`up to ${spanText(step.timeout_seconds)}`]),
    ...(step.retry && step.retry.attempts > 1 ? [retryText(step.retry)] : []),
    ...(step.continue ? ['continues on failure'] : []),
  ]
}

/** Whether an input is required, or where its value comes from. */
export function needText(input: InputItem): string {
  if (input.from) return sourceText(input)
  if (input.default !== null) return input.type === 'secret' ? 'has a default' : 'default'
  return input.optional ? 'optional' : 'required'
}

export function ruleTexts(input: InputItem): string[] {
  const unit = ['string', 'text', 'secret'].includes(input.type) ? ' characters' : ''
  return [
    input.choices.length && input.choices.join(' | '),
    input.choices_from && `choices from ${input.choices_from.runbook}`,
    input.min !== null && input.max !== null ? `${input.min} to ${input.max}${unit}`
    : input.min !== null ? `at least ${input.min}${unit}`
    : input.max !== null && `at most ${input.max}${unit}`,
    input.pattern && `matches ${input.pattern}`,
    input.example && `e.g. ${input.example}`,
  ].filter((text): text is string => Boolean(text))
}

export interface Claim {
  name: string
  allowed: string[]
  /** What the token has instead, possibly nothing; null if the claim is met. */
  given: string | null
}

export function claimsOf({ claims, requirements }: Pick<Runbook, 'claims' | 'requirements'>): Claim[] {
  const unmet = new Map(requirements.map((one) => [one.claim, one.given?.join(', ') ?? '']))
  return Object.entries(claims ?? {}).map(([name, allowed]) => ({
    name,
    allowed,
    given: unmet.get(name) ?? null,
  }))
}
