import type { Field } from './field'

/** Label of the checkbox that submits an empty value. */
export const EMPTY_TEXT = 'Use an empty value'
/** The engine quotes at most this much of a value. */
const SHOWN_CHARACTERS = 80
const SHOWN_CHOICES = 20
const LONGEST_S = 366 * 86_400
const UNIT_S: Record<string, number> = { d: 86_400, h: 3_600, m: 60, s: 1 }

/** The rule and the hint for each type, worded like the engine's messages. */
const RULES: Partial<Record<Field['type'], [rule: string, hint?: string]>> = {
  string: ['must be one line', 'The type text takes several'],
  integer: ['must be an integer'],
  number: ['must be a number'],
  boolean: ['must be true or false'],
  duration: ['must be a duration', 'Write a number with d, h, m or s, such as 90s, 5m or 1h30m'],
  cidr: ['must be an IP address with its prefix length', 'Such as 192.0.2.0/24 or 2001:db8::/64'],
  ip: ['must be an IP address', 'Such as 192.0.2.7 or 2001:db8::7'],
  hostname: [
    'must be a host name',
    'Letters, digits and hyphens between dots, such as db-1.example.com',
  ],
  url: [
    'must be an http or https URL with a host and no password',
    'Such as https://example.com/path',
  ],
  json: ['must be JSON'],
  device: [
    'must be the name of a device',
    'Use up to 63 lowercase letters, digits, dots, hyphens and underscores, such as edge-1',
  ],
}

interface Broken {
  rule: string
  hint?: string
  /** The part of the value to quote, if not all of it. */
  word?: string
  hidden?: boolean
}

/** The first rule that a value breaks, worded like the engine's message; null if it is valid. */
export function checkText(field: Field, text: string): string | null {
  if (text === '') return field.required ? missing(field) : null
  if (!field.typed || field.type === 'file') return null
  const broken = ofType(field, text) ?? ofChoices(field, text) ?? ofBounds(field, text) ?? ofPattern(field, text)
  return broken ? worded(field, broken, text) : null
}

/** Worded for the form; the engine's message mentions the environment. */
export function missing(field: Field): string {
  const text = `${field.label || field.name} is required`
  return field.emptyText === 'asked' ? `${text}. Enter a value, or check “${EMPTY_TEXT}”` : text
}

function worded(field: Field, broken: Broken, text: string): string {
  const hidden = broken.hidden || field.type === 'secret'
  const shown = hidden ? '' : `: ${quoted([...(broken.word ?? text)].slice(0, SHOWN_CHARACTERS).join(''))}`
  return `${field.name} ${broken.rule}${shown}${broken.hint && !hidden ? `. ${broken.hint}` : ''}`
}

/** Quotes like Python's `repr`. */
function quoted(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
  if (!text.includes("'")) return `'${escaped}'`
  return text.includes('"') ? `'${escaped.replaceAll("'", "\\'")}'` : `"${escaped}"`
}

function ofType(field: Field, text: string): Broken | null {
  if (holds(field, text)) return null
  const [rule, hint] = RULES[field.type] ?? ['is not valid']
  return { rule, hint, hidden: field.type === 'url' && text.includes('@') }
}

function holds(field: Field, text: string): boolean {
  switch (field.type) {
    case 'integer':
      return /^-?[0-9]{1,4000}$/.test(text)
    case 'number':
      return /^-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?$/.test(text) && Number.isFinite(Number(text))
    case 'boolean':
      return text === 'true' || text === 'false'
    case 'duration':
      return secondsOf(text) !== null
    case 'ip':
      return isAddress(text)
    case 'cidr':
      return isNetwork(text)
    case 'json':
      return isJson(text)
    case 'url':
      return matches(field.basePattern, text) && URL.canParse(text)
    default:
      return matches(field.basePattern, text) && text.length <= (field.type === 'hostname' ? 253 : Infinity)
  }
}

function isAddress(text: string): boolean {
  if (text.includes(':')) return /^[0-9A-Fa-f:.]+$/.test(text) && URL.canParse(`http://[${text}]/`)
  return /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.|$)){4}$/.test(text) && !text.endsWith('.')
}

function isNetwork(text: string): boolean {
  const [address = '', length = '', ...rest] = text.split('/')
  if (rest.length || !/^(?:0|[1-9][0-9]{0,2})$/.test(length) || !isAddress(address)) return false
  return Number(length) <= (address.includes(':') ? 128 : 32)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Seconds of `90s`, `1h30m` or `45`; null if it is not a duration or exceeds 366 days. */
export function secondsOf(text: string): number | null {
  const amount = '[0-9]{1,9}(?:\\.[0-9]{1,6})?'
  const parts = ['d', 'h', 'm', 's'].map((unit) => `(?:${amount}${unit})?`).join('')
  if (!new RegExp(`^(?=.)(?:${amount}|${parts})$`).test(text)) return null
  let seconds = 0
  for (const [, number, unit] of text.matchAll(/([0-9.]+)([dhms]?)/g)) {
    seconds += Number(number) * (UNIT_S[unit ?? ''] ?? 1)
  }
  return seconds <= LONGEST_S ? seconds : null
}

/** A pattern that this browser cannot compile is left to the server. */
function matches(pattern: string | undefined, text: string): boolean {
  if (pattern === undefined) return true
  for (const flags of ['u', '']) {
    try {
      return new RegExp(pattern, flags).test(text)
    } catch {
      // Without `u`, more escapes are valid.
    }
  }
  return true
}

/** The choices in a multichoice value. */
export function chosen(text: string): string[] {
  return text === '' ? [] : text.split(',')
}

function ofChoices(field: Field, text: string): Broken | null {
  if (field.type !== 'choice' && field.type !== 'multichoice') return null
  if (!field.choices.length) return null
  const many = field.type === 'multichoice'
  const words = many ? chosen(text) : [text]
  const word = words.find((one) => !field.choices.includes(one))
  if (word !== undefined) {
    const more = field.choices.length > SHOWN_CHOICES ? ', ...' : ''
    const listed = field.choices.slice(0, SHOWN_CHOICES).join(', ') + more
    return many
      ? { rule: `must be some of ${listed}, separated by commas`, word }
      : { rule: `must be one of ${listed}` }
  }
  return new Set(words).size < words.length ? { rule: 'must name each choice once' } : null
}

function sizeOf(field: Field, text: string): number | null {
  switch (field.type) {
    case 'integer':
    case 'number':
      return Number(text)
    case 'duration':
      return secondsOf(text)
    case 'multichoice':
      return chosen(text).length
    case 'string':
    case 'text':
    case 'secret':
      return [...text].length
    default:
      return null
  }
}

function ofBounds(field: Field, text: string): Broken | null {
  const size = sizeOf(field, text)
  if (size === null) return null
  const isTime = field.type === 'duration'
  const bound = (value: string) => (isTime ? secondsOf(value) : Number(value)) ?? NaN
  if (field.min !== null && size < bound(field.min)) return outside(field, 'least', field.min)
  if (field.max !== null && size > bound(field.max)) return outside(field, 'most', field.max)
  return null
}

function outside(field: Field, word: string, bound: string): Broken {
  if (field.type === 'multichoice') return { rule: `must name at ${word} ${bound} of its choices` }
  const counted = ['string', 'text', 'secret'].includes(field.type)
  return { rule: counted ? `must have at ${word} ${bound} characters` : `must be at ${word} ${bound}` }
}

function ofPattern(field: Field, text: string): Broken | null {
  return matches(field.ownPattern, text) ? null : { rule: `must match ${field.pattern}` }
}
