import { expect, it } from 'vitest'
import type { BlamedLine } from '@/api/inventory'
import { blocksOf, filteredLines, whatText } from './versions'

function line(n: number, version: string, more: Partial<BlamedLine> = {}): BlamedLine {
  return {
    line: n, text: `line ${n}`, version, at: '2026-01-31T08:00:00Z', origin: 'first',
    run: null, runbook: null, step: null, by: null, ...more,
  }
}
const push = { origin: 'run', runbook: 'mikrotik/Push.md', step: 'Apply', by: 'ann' }
const lines = [line(1, 'a'), line(2, 'a'), line(3, 'b', push), line(4, 'a'), line(5, 'c', { origin: 'seen', by: 'cron' })]

it('says what changed a configuration', () => {
  expect(lines.map(whatText)).toEqual([
    'First backup', 'First backup', 'Push, step Apply', 'First backup', 'Changed outside',
  ])
})

it('puts lines of the same change together, but only those that follow each other', () => {
  const texts = (found: BlamedLine[]) => blocksOf(found).map((block) => block.lines.map((one) => one.line))
  expect(texts(lines)).toEqual([[1, 2], [3], [4], [5]])
  expect(texts(filteredLines(lines, 'first'))).toEqual([[1, 2], [4]])
})

it('finds lines by text, change and person', () => {
  const found = (text: string) => filteredLines(lines, text).map((one) => one.line)
  expect([found('LINE 4'), found('push'), found('ann'), found('outside'), found(' ').length]).toEqual([[4], [3], [3], [5], 5])
})
