import { expect, test } from 'vitest'
import { labelled, matching, named } from './search'

const choice = (value: string, label = value, description: string | null = null) => ({ value, label, description })
const CHOICES = [choice('10.0.0.1'), choice('10.0.0.10'), choice('104', 'web-1 (104)', 'on pve1'), choice('a:b', 'Debian')]

test('every word of the search must be in a choice, wherever it is', () => {
  const values = (text: string) => matching(CHOICES, text).map(({ value }) => value)
  expect(values('0.1')).toEqual(['10.0.0.1', '10.0.0.10'])
  expect(values(' PVE1  web ')).toEqual(['104'])
  expect(values('web pve2')).toEqual([])
  expect(values('')).toHaveLength(4)
})

test('a text names a choice only in full', () => {
  expect(named(CHOICES, '10.0.0.1 ')?.value).toBe('10.0.0.1')
  expect(named(CHOICES, 'Debian')?.value).toBe('a:b')
  expect(named(CHOICES, '10.0')).toBeUndefined()
})

test('a label stands for its value, which shows too if the label does not have it', () => {
  expect(labelled('104', CHOICES)).toEqual({ label: 'web-1 (104)', value: '' })
  expect(labelled('a:b', CHOICES)).toEqual({ label: 'Debian', value: 'a:b' })
  expect(labelled('unknown', CHOICES)).toEqual({ label: 'unknown', value: '' })
})
