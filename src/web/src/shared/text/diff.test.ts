import { expect, test } from 'vitest'
import { diffLines, diffText, folded } from './diff'

const SIGNS = { same: ' ', removed: '-', added: '+', skipped: '…' }
const text = (lines: ReturnType<typeof diffLines>) =>
  lines.map((line) => SIGNS[line.kind] + line.text).join('|')

test('tells removed and added lines between the same ones', () => {
  expect(text(diffLines('a\nb\nc', 'a\nx\nc\nd'))).toBe(' a|-b|+x| c|+d')
  expect(diffLines('a\nb', 'b')[1]).toEqual({ kind: 'same', text: 'b', before: 2, after: 1 })
})

test('the same texts have no difference', () => {
  expect(diffLines('a\nb', 'a\nb').every((line) => line.kind === 'same')).toBe(true)
})

test('keeps the longest common part', () => {
  expect(text(diffLines('a\nb\nc\nd', 'b\nc\ne\nd'))).toBe('-a| b| c|+e| d')
})

test('folds what is far from any change', () => {
  const lines = Array.from({ length: 20 }, (_, n) => `line ${n}`)
  const shown = folded(diffLines(lines.join('\n'), lines.with(10, 'other').join('\n')))
  expect(shown[0]).toMatchObject({ kind: 'skipped', text: '7 unchanged lines' })
  expect(shown.filter((line) => line.kind === 'same')).toHaveLength(6)
})

test('texts that are too large are told as replaced', () => {
  const many = (word: string) => Array.from({ length: 2_100 }, (_, n) => `${word} ${n}`).join('\n')
  expect(diffLines(many('a'), many('b'))).toHaveLength(4_200)
})

test('writes what changed as text', () => {
  const before = ['a', 'b', 'c', 'd', 'e', 'f'].join('\n')
  expect(diffText(before, before.replace('f', 'g'))).toBe('… 2 unchanged lines\n c\n d\n e\n-f\n+g')
})
