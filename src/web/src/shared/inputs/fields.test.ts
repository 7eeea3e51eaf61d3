import { expect, it } from 'vitest'
import type { InputItem, InputProperty, Policy } from '@/api/runbooks'
import { checkText, secondsOf } from './check'
import type { Field } from './field'
import {
  cleaned, confirmNeeds, confirmText, emptyOnes, fieldsOf, groupsOf, keptValues, placed, prefilled, sentValues, startValues,
} from './fields'

function input(name: string, more: Partial<InputItem> = {}): InputItem {
  return {
    name, description: '', type: 'string', typed: true, default: null, optional: false,
    sensitive: more.type === 'secret',
    choices: [], choices_from: null, live_choices: null, show_if: [], kind: null, vendor: null, tag: null, items: [], pattern: null, min: null, max: null, group: null, label: null,
    example: null, from: null, line: 1, ...more,
  }
}

const INPUTS = [
  input('TARGET'),
  input('PORT', { default: '8080', group: 'Where' }),
  input('SECRET', { type: 'secret', default: 's3' }),
  input('DB_PASSWORD', { typed: false, sensitive: true }),
]
const FIELDS = fieldsOf(INPUTS, {}, [])

function field(type: InputItem['type'], more: Partial<InputItem> = {}, property: Partial<InputProperty> = {}): Field {
  const whole = { 'x-type': type, 'x-order': 1, ...property } as InputProperty
  return fieldsOf([input('X', { type, ...more })], { X: whole }, [])[0] as Field
}

it('begins with the later of what is given, else the default, and never with a secret', () => {
  const draft = { TARGET: 'typed', SECRET: 'no', DB_PASSWORD: 'no' }
  expect(startValues(FIELDS, draft)).toEqual({ TARGET: 'typed', PORT: '8080', SECRET: '', DB_PASSWORD: '' })
  expect(startValues(FIELDS, draft, { TARGET: 'linked' }).TARGET).toBe('linked')
})

it('keeps no secret, by its type or by its name', () => {
  const values = { TARGET: 'a', PORT: '1', SECRET: 's', DB_PASSWORD: 'p' }
  expect(keptValues(FIELDS, values)).toEqual({ TARGET: 'a', PORT: '1' })
})

it('sends what was given only', () => {
  const file = { name: 'a', content_base64: 'YQ==' }
  const fields = [...FIELDS, field('file')]
  expect(sentValues(fields, { TARGET: 'a', PORT: '' }, { X: file })).toEqual({ TARGET: 'a', X: file })
})

it('gives an empty text where one is meant and the language takes it', () => {
  const optional = (type: InputItem['type']) => field(type, { optional: true })
  const takes = (one: Field) => 'X' in sentValues([one], { X: '' }, {}, new Set(['X']))
  expect((['string', 'text', 'secret'] as const).map((type) => takes(optional(type)))).toEqual([true, true, true])
  expect((['integer', 'choice', 'json', 'url'] as const).some((type) => takes(optional(type)))).toBe(false)
  expect(takes(field('string'))).toBe(false)
  expect(takes(field('string', { typed: false }))).toBe(true)
  expect(sentValues([optional('text')], { X: '' })).toEqual({})
  expect(sentValues([optional('text')], { X: 'a' }, {}, new Set(['X']))).toEqual({ X: 'a' })
  expect(sentValues([{ ...optional('text'), emptyText: 'always' }], { X: '' })).toEqual({ X: '' })
})

it('takes an empty text on purpose from what is given, but of no secret', () => {
  const short = input('DB_PASSWORD', { typed: false, sensitive: true })
  const fields = [field('text', { optional: true }), ...fieldsOf([short], {}, [])]
  expect(emptyOnes(fields, { X: '', DB_PASSWORD: '' })).toEqual(['X'])
  expect(emptyOnes(fields, { X: 'a' })).toEqual([])
})

it('requires what nothing else supplies', () => {
  expect(FIELDS.map((one) => one.required)).toEqual([true, false, false, true])
  expect(fieldsOf([input('X')], {}, ['X'])[0]?.required).toBe(false)
  expect(field('string', { optional: true }).required).toBe(false)
})

it('orders by the schema', () => {
  const schema = { PORT: { 'x-order': 1 }, TARGET: { 'x-order': 2 } } as unknown as Record<string, InputProperty>
  const fields = fieldsOf(INPUTS.slice(0, 2), schema, [])
  expect(fields.map((one) => one.name)).toEqual(['PORT', 'TARGET'])
})

it('puts a group where its first field stands, and keeps the place of what has none', () => {
  const groups = [['A', 'Where'], ['B', 'Where'], ['C', null], ['D', 'When'], ['E', null], ['F', 'Where']] as const
  const fields = fieldsOf(groups.map(([name, group], at) => input(name, { group, line: at })), {}, [])
  expect(groupsOf(fields).map((group) => [group.title, group.fields.map((one) => one.name).join('')])).toEqual([
    ['Where', 'ABF'], ['', 'C'], ['When', 'D'], ['', 'E'],
  ])
})

it('takes values from an address, but no secrets', () => {
  const query = { 'env.TARGET': 'web1', 'env.SECRET': 's', 'env.DB_PASSWORD': 'p', 'env.ODD': '', other: 'x' }
  const found = prefilled(query, FIELDS)
  expect(found).toEqual({ values: { TARGET: 'web1' }, refused: ['SECRET', 'DB_PASSWORD'], unknown: ['ODD'], repeated: [] })
  expect(Object.keys(cleaned(query, found.refused))).toEqual(['env.TARGET', 'env.ODD', 'other'])
})

it('joins the values of a repeated name only where several are meant', () => {
  const many = field('multichoice')
  expect(prefilled({ 'env.X': ['a', 'b'] }, [many])).toMatchObject({ values: { X: 'a,b' }, repeated: [] })
  expect(prefilled({ 'env.X': ['a', 'b'] }, [field('string')])).toMatchObject({ values: {}, repeated: ['X'] })
})

it('fills the text to confirm once its inputs are known', () => {
  const policy = { confirm: ' drop ${TARGET} on ${PORT} ' } as Policy
  expect(confirmText(policy, FIELDS, {})).toBeNull()
  expect(confirmNeeds(policy, FIELDS, {}).map((one) => one.name)).toEqual(['TARGET'])
  expect(confirmNeeds(policy, FIELDS, { TARGET: '' })).toEqual([])
  expect(confirmText(policy, FIELDS, { TARGET: '$&' })).toBe('drop $& on 8080')
  expect(confirmText(policy, FIELDS, { TARGET: '', PORT: '80' })).toBe('drop  on 80')
})

it('puts what the server says at its field', () => {
  const problem = (code: string, variable: string, message: string, hint: string | null = null) =>
    ({ code, params: { variable }, message, severity: 'error' as const, line: null, hint })
  const faults = placed(
    [
      problem('bad_input_value', 'TARGET', "TARGET must be one line: 'a'", 'Shorter'),
      problem('missing_input', 'PORT', 'It is not set'),
      problem('other', 'UNKNOWN', 'Broken'),
    ],
    FIELDS,
  )
  expect(faults.fields).toEqual({
    TARGET: "TARGET must be one line: 'a'. Shorter", PORT: 'PORT is required',
  })
  expect(faults.others).toEqual(['Broken'])
})

const ONE_LINE = { pattern: '^[^\\r\\n\\x00]*$' }
it.each([
  [field('string', {}, ONE_LINE), ['a', 'ü'], ['a\nb'], 'must be one line'],
  [field('string', { pattern: '[a-z\\-]+' }, { pattern: '^(?:[a-z\\-]+)$', allOf: [ONE_LINE] }), ['a-b'], ['A'], 'must match [a-z\\-]+: '],
  [field('text', { max: '3' }), ['a\nb', '👍👍👍'], ['abcd'], 'must have at most 3 characters'],
  [field('integer', { min: '1' }), ['1', '05'], ['0', '-5'], 'must be at least 1'],
  [field('integer'), ['-5', '007'], ['1.5', ' 1', '0x1', '1e3'], 'must be an integer'],
  [field('number'), ['0.5', '-2', '1e3'], ['.5', '1.', 'NaN', '1e999'], 'must be a number'],
  [field('boolean'), ['true', 'false'], ['yes'], 'must be true or false'],
  [field('choice', { choices: ['a', 'b'] }), ['a'], ['c'], "must be one of a, b: 'c'"],
  [field('multichoice', { choices: ['a', 'b'] }), ['a', 'b,a'], ['a,c'], "must be some of a, b, separated by commas: 'c'"],
  [field('multichoice', { choices: ['a', 'b'], max: '1' }), ['a'], ['a,b'], 'must name at most 1 of its choices'],
  [field('secret', { min: '8' }), ['hunter22'], ['short'], 'must have at least 8 characters'],
  [field('duration'), ['90s', '1h30m', '1.5h', '45'], ['5x', '1m1h', '367d'], 'must be a duration'],
  [field('duration', { max: '10m' }), ['600', '10m'], ['601s'], 'must be at most 10m'],
  [field('cidr'), ['192.0.2.0/24', '2001:db8::/64', '::/0'], ['192.0.2.0', '192.0.2.0/33', '192.0.2.0/024', '::/129'], 'must be an IP address with its prefix'],
  [field('ip'), ['192.0.2.7', '2001:db8::7', '::ffff:192.0.2.7'], ['192.0.2', '192.0.2.07', '256.1.1.1', 'fe80::1%eth0', '1.2.3.4.'], 'must be an IP address'],
  [field('hostname', {}, { pattern: '^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)$' }), ['db-1'], ['-x', 'a_b'], 'must be a host name'],
  [field('url', {}, { pattern: '^https?://[a-z0-9.:]+(?:/.*)?$' }), ['https://example.com/a'], ['ftp://x', 'x'], 'must be an http or https URL'],
  [field('json'), ['{"a": [1, 2]}', '5'], ['{a}', 'NaN'], 'must be JSON'],
] as [Field, string[], string[], string][])('checks as the engine does (%#)', (checked, good, bad, message) => {
  for (const text of good) expect(checkText(checked, text)).toBeNull()
  for (const text of bad) expect(checkText(checked, text)).toContain(message)
})

it('shows no secret and no password of a URL', () => {
  expect(checkText(field('secret', { min: '8' }), 'short')).not.toContain('short')
  const url = field('url', {}, { pattern: '^https://[a-z]+$' })
  expect(checkText(url, 'https://me:pw@x')).not.toContain('pw')
})

it('says what is missing', () => {
  expect(checkText(field('string'), '')).toBe('X is required')
  expect(checkText(field('string', { default: 'a' }), '')).toBeNull()
  expect(checkText(field('string', { typed: false }), '')).toBe(
    'X is required. Enter a value, or check “Use an empty value”',
  )
})

it('leaves a pattern that it does not know to the server', () => {
  expect(checkText(field('string', { pattern: '(' }, { pattern: '^(?:()$', allOf: [ONE_LINE] }), 'x')).toBeNull()
})

it('counts seconds', () => {
  expect(['45', '1h30m', '1.5h', '1d', 'x'].map(secondsOf)).toEqual([45, 5400, 5400, 86_400, null])
})
