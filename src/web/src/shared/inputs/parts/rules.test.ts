import { expect, it } from 'vitest'
import type { Field } from '../field'
import { rulesText } from './rules'

const rules = (description: string, more: Partial<Field>) =>
  rulesText({ description, type: 'string', min: null, max: null, pattern: null, example: null, fewest: 0, ...more } as Field)

it('leaves out bounds that the description names', () => {
  expect(rules('Why, at least 5 characters.', { min: '5' })).toBe('')
  expect(rules('Why, at least 50 characters.', { min: '5' })).toBe('at least 5 characters')
  expect(rules('One of 5 reasons.', { min: '5' })).toBe('at least 5 characters')
  expect(rules('Cores, up to 8.', { type: 'integer', min: '1', max: '8' })).toBe('1 to 8')
  expect(rules('Cores, at least 2 and up to 8.', { type: 'integer', min: '2', max: '8', example: '4' })).toBe('e.g. 4')
  expect(rules('Up to 8 interfaces.', { type: 'list', fewest: 1, max: '8' })).toBe('')
  expect(rules('Interfaces.', { type: 'list', fewest: 1, max: '8' })).toBe('1 to 8 rows')
})
