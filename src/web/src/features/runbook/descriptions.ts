import type { InputItem, Runbook, Step } from '@/api/runbooks'
import { sourceText } from '@/shared/inputs/fields'
import { retryText } from '@/shared/policy'
import { spanText } from '@/shared/time/format'

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
