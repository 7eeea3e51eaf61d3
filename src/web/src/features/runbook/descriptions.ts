import type { InputItem, Policy, Runbook, Step } from '@/api/runbooks'
import { sourceText } from '@/shared/inputs/fields'
import { spanText } from '@/shared/time/format'

export interface Rule {
  name: string
  text: string
  /** Names of locks and texts to type, as they are written. */
  code?: string[]
}

/** What the policy says, in words; what is left out says nothing, but for the three that matter. */
export function policyRules(policy: Policy): Rule[] {
  const rules: Rule[] = [
    {
      name: 'Dry run',
      text: policy.dry_run
        ? 'Supported: the script changes nothing then.'
        : 'Not supported: a dry run checks and shows, and executes nothing.',
    },
    {
      name: 'Time limit',
      text: policy.timeout_seconds === null ? "The server's." : `${spanText(policy.timeout_seconds)}, all steps together.`,
    },
  ]
  if (policy.confirm) rules.unshift({ name: 'Confirm', text: 'Must be typed before it is executed:', code: [policy.confirm] })
  const busy = policy.on_busy === 'wait' ? 'waits' : 'fails at once'
  if (policy.locks.length) {
    rules.push({ name: 'Locks', text: `While another run holds one, a run ${busy}.`, code: policy.locks })
  }
  if (policy.concurrency !== null) {
    rules.push({ name: 'At once', text: `At most ${counted(policy.concurrency, 'run')} of this runbook; one more ${busy}.` })
  }
  if (policy.retry.attempts > 1) rules.push({ name: 'Retry', text: `Each step ${retryText(policy.retry)}.` })
  rules.push({
    name: 'On failure',
    text: policy.on_failure === 'undo' ? 'Completed steps are undone, the last one first.' : 'It stops there; nothing is undone.',
  })
  if (policy.success_codes.join() !== '0') {
    rules.push({ name: 'Success', text: `Return codes ${policy.success_codes.join(', ')}.` })
  }
  if (policy.queue && policy.queue !== 'default') rules.push({ name: 'Queue', text: '', code: [policy.queue] })
  return rules
}

function counted(n: number, word: string): string {
  return n === 1 ? `one ${word}` : `${n} ${word}s`
}

export function retryText(retry: Policy['retry']): string {
  const pause = retry.backoff_seconds ? `, after ${spanText(retry.backoff_seconds)} first, then twice as long each time` : ''
  const codes = retry.on ? ` if it ends with ${retry.on.join(' or ')}` : ''
  return `is tried up to ${retry.attempts} times${codes}${pause}`
}

export function stepNotes(step: Step): string[] {
  return [
    ...(step.conditions.length ? [`only if ${step.conditions.join(' and ')}`] : []),
    ...(step.timeout_seconds === null ? [] : [`at most ${spanText(step.timeout_seconds)}`]),
    ...(step.retry && step.retry.attempts > 1 ? [retryText(step.retry)] : []),
    ...(step.continue ? ['goes on after a failure'] : []),
  ]
}

/** Whether and how a value must be given. */
export function needText(input: InputItem): string {
  if (input.from) return sourceText(input)
  if (input.default !== null) return input.type === 'secret' ? 'has a default' : 'default'
  return input.optional ? 'optional' : 'required'
}

export function ruleTexts(input: InputItem): string[] {
  const unit = ['string', 'text', 'secret'].includes(input.type) ? ' characters' : ''
  return [
    input.choices.length && input.choices.join(' | '),
    input.choices_from && `choices of ${input.choices_from.runbook}`,
    input.min !== null && input.max !== null ? `${input.min} to ${input.max}${unit}`
    : input.min !== null ? `at least ${input.min}${unit}`
    : input.max !== null && `at most ${input.max}${unit}`,
    input.pattern && `matches ${input.pattern}`,
    input.example && `such as ${input.example}`,
  ].filter((text): text is string => Boolean(text))
}

export interface Claim {
  name: string
  allowed: string[]
  /** What the token has instead, perhaps nothing; null where it has what is needed. */
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
