import { expect, it } from 'vitest'
import { shortened } from './shorten'

it.each([
  ['short', 10, 'short'],
  ['exactly so', 10, 'exactly so'],
  ['exactly sour', 10, 'exactly…'],
  ['one, two three', 8, 'one, two…'],
  ['one, two three', 7, 'one…'],
  ['unbreakable', 5, 'unbre…'],
  ['', 5, ''],
])('shortens %j to %i', (text, most, expected) => {
  expect(shortened(text, most)).toBe(expected)
})
