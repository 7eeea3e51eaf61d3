import { expect, it } from 'vitest'
import { fuzzyPiecesOf, piecesOf, wordsOf } from './marking'

const marked = (text: string, sought: string[]) =>
  piecesOf(text, sought).map((piece) => (piece.isFound ? `[${piece.text}]` : piece.text)).join('')

it.each([
  ['Push config', ['push'], '[Push] config'],
  ['net/Push.md', ['push', 'net'], '[net]/[Push].md'],
  ['configuration', ['config', 'configuration'], '[configuration]'],
  ['gzip -c *.log (all)', ['-c *.log (all)'], 'gzip [-c *.log (all)]'],
  ['a/b [x] {y} ^$|\\ -', ['/b [x]', '{y}', '^$|\\', '-'], 'a[/b [x]] [{y}] [^$|\\] [-]'],
  ['GRÖSSE', ['größe', 'ö'], 'GR[Ö]SSE'],
  ['nothing', ['x'], 'nothing'],
  ['nothing', [], 'nothing'],
  ['', ['x'], ''],
])('marks in %j of %j', (text, sought, expected) => {
  expect(marked(text, sought)).toBe(expected)
})

it('takes words apart', () => {
  expect(wordsOf('  Push\tCONFIG ')).toEqual(['push', 'config'])
})

it.each([
  ['pg-failover', ['pgfail'], '[pg]-[fail]over'],
  ['pg-failover', ['fail', 'pgfail'], 'pg-[fail]over'],
  ['nothing', ['pgfail'], 'nothing'],
])('marks in %j the fuzzy matches of %j', (text, words, expected) => {
  const marked = fuzzyPiecesOf(text, words).map((piece) => (piece.isFound ? `[${piece.text}]` : piece.text))
  expect(marked.join('')).toBe(expected)
})
