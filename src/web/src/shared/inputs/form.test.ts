import { expect, it } from 'vitest'
import { nextTick, shallowRef } from 'vue'
import type { InputItem } from '@/api/runbooks'
import { fieldsOf } from './fields'
import { useInputForm } from './form'

function input(name: string, more: Partial<InputItem> = {}): InputItem {
  return {
    name, description: '', type: 'string', typed: true, default: null, optional: false,
    sensitive: more.type === 'secret',
    choices: [], choices_from: null, live_choices: null, show_if: [], kind: null, vendor: null, tag: null, items: [], pattern: null, min: null, max: null, group: null, label: null,
    example: null, from: null, line: 1, ...more,
  }
}
const FIELDS = fieldsOf(
  [
    input('NAME'),
    input('PORT', { type: 'integer' }),
    input('SHORT', { typed: false }),
    input('TOKEN', { type: 'secret' }),
    input('PLAN', { type: 'file', optional: true }),
  ],
  {},
  [],
)
const FILE = { name: 'a', content_base64: 'YQ==' }
const begin = () => useInputForm(() => FIELDS, { values: { NAME: '', PORT: '', SHORT: '', TOKEN: '' } })
const shown = (form: ReturnType<typeof begin>) =>
  Object.fromEntries(FIELDS.map((field) => [field.name, form.shownFault(field)]).filter(([, fault]) => fault))

it('holds nothing against an empty field before someone has been there', () => {
  const form = begin()
  expect(shown(form)).toEqual({})
  form.touch('NAME')
  form.give('PORT', 'x')
  expect(Object.keys(shown(form))).toEqual(['NAME', 'PORT'])
  expect(form.check()).toBe(false)
  expect(Object.keys(shown(form))).toEqual(['NAME', 'PORT', 'SHORT', 'TOKEN'])
})

it('can be sent once nothing is wrong, with an empty text where one is meant', () => {
  const form = begin()
  form.give('NAME', 'a')
  form.give('PORT', '1')
  form.give('TOKEN', 's')
  form.giveEmpty('SHORT', true)
  form.giveFile('PLAN', FILE)
  expect(form.check()).toBe(true)
  expect(form.sent()).toEqual({ NAME: 'a', PORT: '1', SHORT: '', TOKEN: 's', PLAN: FILE })
  form.give('SHORT', 'b')
  form.give('SHORT', '')
  expect(form.check()).toBe(false)
})

const told = (message: string, variable = '') => ({ code: 'x', params: { variable }, message, hint: null })

it('shows what the server said until the value is another one', () => {
  const form = begin()
  form.give('NAME', 'a')
  form.tell([told('NAME is taken', 'NAME'), { ...told('Too late'), hint: 'Hurry' }])
  expect(shown(form)).toEqual({ NAME: 'NAME is taken' })
  expect(form.others).toEqual(['Too late. Hurry'])
  form.give('NAME', 'b')
  expect(shown(form)).toEqual({})
  form.check()
  expect(form.others).toEqual([])
})

it('says first that a file cannot be read', () => {
  const form = begin()
  form.tell([told('The content of the file of PLAN is wrong', 'PLAN')])
  form.refuseFile('PLAN', 'Too large')
  expect(shown(form)).toEqual({ PLAN: 'Too large' })
  form.refuseFile('PLAN', '')
  expect(shown(form).PLAN).toContain('is wrong')
})

it('forgets secrets and files, and keeps the rest', () => {
  const form = begin()
  form.give('NAME', 'a')
  form.give('TOKEN', 's')
  form.giveFile('PLAN', FILE)
  form.tell([told('TOKEN is old', 'TOKEN')])
  form.forget()
  expect(form.sent()).toEqual({ NAME: 'a' })
  expect(shown(form)).toEqual({})
})

it('takes in the fields of a runbook that was changed, and keeps what was typed', async () => {
  const fields = shallowRef(FIELDS.slice(0, 1))
  const form = useInputForm(() => fields.value, { values: { NAME: '' } })
  form.give('NAME', 'typed')
  fields.value = fieldsOf([input('NAME'), input('NEW', { default: 'new' }), input('NEEDED')], {}, [])
  await nextTick()
  expect(form.values).toEqual({ NAME: 'typed', NEW: 'new', NEEDED: '' })
  expect(form.faultCount()).toBe(0)
  expect(form.check()).toBe(false)
  expect(form.faultCount()).toBe(1)
})
