import type { Field } from '../field'

/** What the declaration says about valid values: bounds, pattern and example. */
export function rulesText(field: Field): string {
  if (field.type === 'list') return rowRules(field)
  const { min, max, type } = field
  const unit = ['string', 'text', 'secret'].includes(type) ? ' characters' : type === 'multichoice' ? ' choices' : ''
  const bounds =
    min !== null && max !== null ? `${min} to ${max}${unit}`
    : min !== null ? `at least ${min}${unit}`
    : max !== null ? `at most ${max}${unit}`
    : ''
  return [
    bounds,
    field.pattern && `matches ${field.pattern}`,
    field.example && `e.g. ${field.example}`,
  ].filter(Boolean).join('; ')
}

function rowRules({ fewest, max, min }: Field): string {
  const least = min ?? (fewest ? String(fewest) : null)
  if (least !== null && max !== null) return `${least} to ${max} rows`
  if (max !== null) return `at most ${max} rows`
  return least === null ? '' : `at least ${least} ${least === '1' ? 'row' : 'rows'}`
}
