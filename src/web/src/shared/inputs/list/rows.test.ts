import { expect, it } from 'vitest'
import type { FieldItem, InputItem, InputProperty } from '@/api/runbooks'
import type { Field, Values } from '../field'
import { fieldsOf, sentValues } from '../fields'
import { useInputForm } from '../form'
import { isStored, movedKey, rowsIn } from './rows'

function input(name: string, more: Partial<InputItem> = {}): InputItem {
  const standard = { type: 'string', typed: true, optional: false, default: null, choices: [], show_if: [], items: [] }
  return { name, description: '', pattern: null, min: null, max: null, line: 1, sensitive: false, ...standard, ...more } as InputItem
}
const when = (name: string, value: string, operator: '==' | '!=' = '==') => [{ input: name, operator, value }]
const COLUMNS: FieldItem[] = [
  input('NETWORK'),
  input('VLAN', { type: 'integer', optional: true, min: '1', max: '4094' }),
  input('MODEL', { type: 'choice', choices: ['virtio', 'e1000'], default: 'virtio' }),
  input('QUEUES', { type: 'integer', default: '1', show_if: when('MODEL', 'virtio') }),
  input('GATEWAY', { optional: true, show_if: when('MODE', 'static') }),
]
const SCHEMA = { NICS: { 'x-order': 3, minItems: 1, maxItems: 2 } } as unknown as Record<string, InputProperty>
const FIELDS = fieldsOf(
  [
    input('MODE', { line: 1, default: 'dhcp' }),
    input('ADDRESS', { line: 2, show_if: when('MODE', 'static') }),
    input('NICS', { line: 3, type: 'list', items: COLUMNS }),
  ],
  SCHEMA,
  [],
)
const NICS = FIELDS[2] as Field
const begin = (values: Values) => useInputForm(() => FIELDS, { values: { MODE: '', ADDRESS: '', NICS: '', ...values } })
const column = (name: string) => NICS.columns.find((one) => one.name === name) as Field

it('begins with as many rows as there must be, with the defaults of their fields', () => {
  const row = { NETWORK: '', VLAN: '', MODEL: 'virtio', QUEUES: '1', GATEWAY: '' }
  expect(rowsIn(NICS, '')).toEqual([row])
  expect(rowsIn(NICS, '[{"NETWORK":"lan","VLAN":12}]')).toEqual([{ ...row, NETWORK: 'lan', VLAN: '12' }])
  for (const text of ['{', '{}', '[1]', '"a"']) expect(rowsIn(NICS, text)).toBeNull()
})

it('sends no hidden and no empty field, in rows as elsewhere', () => {
  const rows = '[{"NETWORK":"lan","MODEL":"e1000","QUEUES":4,"GATEWAY":"192.0.2.1"}]'
  expect(sentValues(FIELDS, { MODE: '', ADDRESS: 'typed', NICS: rows })).toEqual({
    NICS: [{ NETWORK: 'lan', MODEL: 'e1000' }],
  })
  expect(sentValues(FIELDS, { MODE: 'static', ADDRESS: 'a', NICS: rows })).toMatchObject({
    ADDRESS: 'a', NICS: [{ NETWORK: 'lan', MODEL: 'e1000', GATEWAY: '192.0.2.1' }],
  })
})

it('sends no rows only where there would be others', () => {
  const optional = { ...NICS, fewest: 0, required: false }
  expect(sentValues([optional], { NICS: '[]' })).toEqual({})
  expect(sentValues([{ ...optional, hasDefault: true }], { NICS: '[]' })).toEqual({ NICS: [] })
})

it('requires a hidden field only once it shows', () => {
  const form = begin({ NICS: '[{"NETWORK":"lan"}]' })
  expect(form.check()).toBe(true)
  form.give('MODE', 'static')
  expect(form.check()).toBe(false)
  expect(form.shownFault(FIELDS[1] as Field)).toBe('ADDRESS is required')
})

it('shows what depends on a value that only the server knows', () => {
  const supplied = FIELDS.map((one) => (one.name === 'MODE' ? { ...one, default: null, supplied: true } : one))
  const form = useInputForm(() => supplied, { values: { MODE: '' } })
  expect(form.shown().map((one) => one.name)).toEqual(['MODE', 'ADDRESS', 'NICS'])
})

it('shows what is wrong at its cell, and counts it', () => {
  const form = begin({ NICS: '[{"NETWORK":"lan","VLAN":5000},{},{}]' })
  expect(form.shownCellFault(NICS, 0, column('VLAN'))).toBe("VLAN must be at most 4094: '5000'")
  expect(form.shownCellFault(NICS, 1, column('NETWORK'))).toBeNull()
  expect(form.shownFault(NICS)).toBe('NICS must have at most 2 rows')
  expect(form.check()).toBe(false)
  expect(form.shownCellFault(NICS, 1, column('NETWORK'))).toBe('NETWORK is required')
  expect(form.faultCount()).toBe(4)
})

it('puts what the server says at the cell, which keeps it when the row moves', () => {
  const form = begin({ NICS: '[{"NETWORK":"lan"},{"NETWORK":"old"}]' })
  const problem = { code: 'bad_input_value', params: { variable: 'NICS', row: 1, field: 'NETWORK' }, hint: null }
  form.tell([{ ...problem, message: "NICS[1].NETWORK must be one of lan: 'old'" }])
  expect(form.shownCellFault(NICS, 1, column('NETWORK'))).toBe("NETWORK must be one of lan: 'old'")
  const [first, second] = form.rows(NICS)
  form.giveRows(NICS, [second ?? {}, first ?? {}], [1, 0])
  expect(form.shownCellFault(NICS, 0, column('NETWORK'))).toContain('must be one of')
  expect(form.shownCellFault(NICS, 1, column('NETWORK'))).toBeNull()
  form.giveRows(NICS, [{ ...second, NETWORK: 'lan' }, first ?? {}])
  expect(form.faultCount()).toBe(0)
})

it('follows cells through changes of rows', () => {
  expect(movedKey('NICS[2].VLAN', 'NICS', [2, 0])).toBe('NICS[0].VLAN')
  expect(movedKey('NICS[1].VLAN', 'NICS', [0, null, 2])).toBeUndefined()
  expect(movedKey('OTHER[1].VLAN', 'NICS', [])).toBe('OTHER[1].VLAN')
})

it('tells rows that a run stored from changed ones', () => {
  const kept = '[{"NETWORK":"lan","VLAN":12,"MODEL":"virtio","QUEUES":1}]'
  const row = { NETWORK: 'lan', VLAN: '12', MODEL: 'virtio', QUEUES: '1' }
  expect(isStored(NICS, [row], kept)).toBe(true)
  expect(isStored(NICS, [{ ...row, VLAN: '13' }], kept)).toBe(false)
  expect(isStored(NICS, [{ NETWORK: 'lan', MODEL: 'virtio', QUEUES: '1' }], kept)).toBe(false)
  expect(isStored(NICS, [], kept)).toBe(false)
})
