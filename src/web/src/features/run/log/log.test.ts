import { expect, it } from 'vitest'
import type { RunEvent } from '@/api/events'
import { BLOCK, type LogLine, RunLog, type Stream } from './log'

let number = 0
function output(stream: Stream, text: string, line: number, step?: number): RunEvent {
  number += 1
  return { n: number, at: '2026-01-01T00:00:00Z', type: stream, stream, text, line, step }
}
function lines(first: number, last: number, text = (n: number) => `line ${n}`): LogLine[] {
  return Array.from({ length: last - first + 1 }, (_, at) => {
    return { n: first + at, stream: 'stdout' as const, at: '', step: null, text: text(first + at) }
  })
}
function textsOf(log: RunLog) {
  return Array.from({ length: log.count }, (_, at) => log.line(at + 1)?.text)
}

it('puts lines together from several events, as the server numbers them', () => {
  const log = new RunLog()
  for (const event of [
    output('stdout', 'a', 1),
    output('stdout', 'b\nc\n', 1),
    output('stdout', 'd', 3),
    output('stderr', 'e\n', 4),
    output('stdout', '\n', 5),
  ]) {
    expect(log.add(event)).toBe(true)
  }
  expect(textsOf(log)).toEqual(['ab', 'c', 'd', 'e', ''])
})

it('takes only output, and nothing twice', () => {
  const log = new RunLog({ lines: 0, event: 7 })
  expect(log.add({ n: 8, at: '', type: 'started' })).toBe(false)
  const event = { ...output('stdout', 'a\n', 1), n: 9 }
  expect(log.add(event)).toBe(true)
  expect(log.add(event)).toBe(false)
  expect(log.add({ ...event, n: 7 })).toBe(false)
  expect(textsOf(log)).toEqual(['a'])
})

it('leaves a line that grows to the server', () => {
  const log = new RunLog({ lines: 2, event: 0 })
  expect(log.add(output('stdout', 'more\nnext', 2))).toBe('grown')
  expect(log.count).toBe(3)
  expect(log.line(2)).toBeUndefined()
  expect(log.line(3)?.text).toBe('next')
  log.put(0, lines(1, 3))
  expect(textsOf(log)).toEqual(['line 1', 'line 2', 'next'])
})

it('names the blocks that it needs, with the one before', () => {
  const log = new RunLog({ lines: 3 * BLOCK, event: 0 })
  expect(log.missing(BLOCK + 1, BLOCK + 2)).toEqual([1, 0])
  log.put(0, lines(1, BLOCK))
  expect(log.missing(BLOCK - 1, 2 * BLOCK + 1)).toEqual([1, 2])
})

it('keeps only so many blocks and lines', () => {
  const log = new RunLog({ lines: 4 * BLOCK, event: 0 }, { blocks: 2, live: 10 })
  for (const block of [0, 1, 2]) log.put(block, lines(block * BLOCK + 1, (block + 1) * BLOCK))
  expect([log.line(1), log.line(BLOCK + 1)?.n]).toEqual([undefined, BLOCK + 1])
  for (let n = 1; n <= 11; n += 1) log.add(output('stdout', `live ${n}\n`, 4 * BLOCK + n))
  expect(log.base).toBe(4 * BLOCK + 6)
  expect(log.line(4 * BLOCK + 11)?.text).toBe('live 11')
  expect(log.line(4 * BLOCK + 6)).toBeUndefined()
})

it('carries colours across lines, within a stream and a step', () => {
  const log = new RunLog({ lines: 2, event: 0 })
  log.put(0, lines(1, 2, (n) => (n === 1 ? '\x1b[31mred' : 'still red')))
  log.add(output('stdout', 'and here\n', 3))
  log.add(output('stderr', 'plain\n', 4))
  log.add(output('stdout', 'red again\n', 5))
  log.add(output('stdout', 'another step\n', 6, 2))
  const colors = [1, 2, 3, 4, 5, 6].map((n) => log.spans(n)[0]?.style.color)
  expect(colors).toEqual([1, 1, 1, null, 1, null])
})
