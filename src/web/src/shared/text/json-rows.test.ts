import { expect, it } from 'vitest'
import { columnsOf, jsonRows, rowLines } from './json-rows'

const NICS = '[{"NETWORK":"lan","VLAN":12,"TAGS":["a","b"]},{"NETWORK":"dmz","UP":true}]'

it('reads rows, and their fields in order', () => {
  expect(columnsOf(jsonRows(NICS) ?? [])).toEqual(['NETWORK', 'VLAN', 'TAGS', 'UP'])
})

it('writes a row per line', () => {
  expect(rowLines(NICS)).toBe('1. NETWORK=lan, VLAN=12, TAGS=["a","b"]\n2. NETWORK=dmz, UP=true')
})

it('tells different values apart', () => {
  expect(rowLines('[{"A":"1"}]')).not.toBe(rowLines('[{"A":1}]'))
  expect(rowLines('[{"A":"x, B=y"}]')).not.toBe(rowLines('[{"A":"x","B":"y"}]'))
})

it.each(['', 'a', '[]', '[1]', '[{"a":{}}]', '[{"a":1', '[{"a":1},2]', ' [{"a":1}]'])('leaves other texts alone: %s', (text) => {
  expect(jsonRows(text)).toBeNull()
  expect(rowLines(text)).toBe(text)
})
