import { expect, test } from 'vitest'
import { MOST_CHARACTERS, readLines } from './output'

const answered = (line: number, text: string) => ({
  line, text, at: '2026-01-23T14:33:02Z', step: null, stream: 'stdout' as const,
})

test('output is compared as it is read: without colours, and with whole lines', () => {
  const lines = [answered(1, '\x1b[31mred\x1b[0m'), answered(2, 'long '), answered(2, 'line'), answered(3, '')]
  expect(readLines(lines)).toEqual(['red', 'long line', ''])
})

test('a very long line is cut', () => {
  const [line] = readLines([answered(1, 'x'.repeat(MOST_CHARACTERS)), answered(1, 'x'), answered(1, 'y')])
  expect(line).toBe(`${'x'.repeat(MOST_CHARACTERS)}…`)
})
