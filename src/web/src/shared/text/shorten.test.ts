import { expect, it } from 'vitest'
import { fitting, shortened } from './shorten'

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

it.each([
  ['all of it', 9, 'all of it'],
  ['of the primary host', 15, 'of the primary…'],
  ['of the primary host', 14, 'of the…'],
  ['unbreakable', 5, 'unbr…'],
  ['', 0, ''],
])('fits %j into a width of %i', (text, width, expected) => {
  expect(fitting(text, width, ({ length }) => length)).toBe(expected)
})
