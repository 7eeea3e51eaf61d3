import type { Field } from '../field'

/** What the declaration says about valid values, unless the description does: bounds, pattern and example. */
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
    isSaid(field, min, max) ? '' : bounds,
    field.pattern && `matches ${field.pattern}`,
    field.example && `e.g. ${field.example}`,
  ].filter(Boolean).join('; ')
}

/** Whether the description names the bounds, as in `up to 8`. That a list has a row goes without saying. */
function isSaid({ description, type }: Field, min: string | null, max: string | null): boolean {
  const says = (words: string, bound: string) =>
    new RegExp(`\\b(?:${words})\\s+${bound.replace(/\W/g, '\\$&')}(?!\\w|[.,]\\d)`, 'i').test(description)
  const isMinSaid = min === null || (min === '1' && type === 'list' && max !== null) || says('at least|from|minimum(?: of)?', min)
  const isMaxSaid = max === null || says('at most|up to|to|maximum(?: of)?|no more than', max)
  return (min !== null || max !== null) && isMinSaid && isMaxSaid
}

function rowRules(field: Field): string {
  const { fewest, max, min } = field
  const least = min ?? (fewest ? String(fewest) : null)
  if (isSaid(field, least, max)) return ''
  if (least !== null && max !== null) return `${least} to ${max} rows`
  if (max !== null) return `at most ${max} rows`
  return least === null ? '' : `at least ${least} ${least === '1' ? 'row' : 'rows'}`
}
