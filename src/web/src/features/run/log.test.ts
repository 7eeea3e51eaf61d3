import { expect, it } from 'vitest'
import type { RunEvent } from '@/api/events'
import { RunLog, type Stream } from './log'

function output(stream: Stream, text: string): RunEvent {
  return { n: 1, at: '2026-01-01T00:00:00Z', type: stream, stream, text }
}

function linesOf(...events: RunEvent[]) {
  const log = new RunLog()
  for (const event of events) log.add(event)
  return log.lines.map((line) => [line.n, line.stream, line.text])
}

it('puts a line together from several events', () => {
  expect(linesOf(output('stdout', 'a'), output('stdout', 'b\nc\n'), output('stdout', 'd'))).toEqual([
    [1, 'stdout', 'ab'],
    [2, 'stdout', 'c'],
    [3, 'stdout', 'd'],
  ])
})

it('begins a new line for the other stream, as the log of the server does', () => {
  expect(linesOf(output('stdout', 'a'), output('stderr', 'b\n'), output('stdout', '\n'))).toEqual([
    [1, 'stdout', 'a'],
    [2, 'stderr', 'b'],
    [3, 'stdout', ''],
  ])
})

it('takes only output', () => {
  const log = new RunLog()
  expect(log.add({ n: 1, at: '', type: 'started' })).toBe(false)
  expect(log.lines).toHaveLength(0)
})
