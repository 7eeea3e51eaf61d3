import { expect, it } from 'vitest'
import type { InputItem } from '@/api/runbooks'
import { isRequired, keptValues, sentValues, startValues } from './form'

function input(name: string, more: Partial<InputItem> = {}): InputItem {
  return {
    name, description: '', type: 'string', typed: true, default: null, optional: false,
    choices: [], choices_from: null, pattern: null, min: null, max: null, group: null,
    example: null, from: null, line: 1, ...more,
  }
}

const INPUTS = [
  input('TARGET'),
  input('PORT', { default: '8080' }),
  input('SECRET', { type: 'secret' }),
  input('DB_PASSWORD', { typed: false }),
]

it('begins with the draft, else the default', () => {
  expect(startValues(INPUTS, { TARGET: 'typed' })).toEqual({
    TARGET: 'typed', PORT: '8080', SECRET: '', DB_PASSWORD: '',
  })
})

it('keeps no secret, by its type or by its name', () => {
  const values = { TARGET: 'a', PORT: '1', SECRET: 's', DB_PASSWORD: 'p' }
  expect(keptValues(INPUTS, values)).toEqual({ TARGET: 'a', PORT: '1' })
})

it('sends what was given only', () => {
  expect(sentValues(INPUTS, { TARGET: 'a', PORT: '' })).toEqual({ TARGET: 'a' })
})

it('requires what nothing else supplies', () => {
  expect(INPUTS.map(isRequired)).toEqual([true, false, true, true])
  expect(isRequired(input('X', { optional: true }))).toBe(false)
  expect(isRequired(input('X', { from: 'env' }))).toBe(false)
})
