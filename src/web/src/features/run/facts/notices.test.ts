import { expect, it } from 'vitest'
import type { RunEvent } from '@/api/events'
import type { WholeRun } from '@/api/runs'
import { noticeTexts } from './notices'

const notice = (more: object) => ({ type: 'notice', n: 1, at: '', message: 'Said.', ...more }) as RunEvent
const run = (active: boolean, steps = 1) =>
  ({ active, steps: Array.from({ length: steps }, (_, at) => ({ n: at + 1, name: `s${at + 1}` })) }) as WholeRun

it('names the step if there are several', () => {
  const killed = notice({ code: 'background_killed', step: 2 })
  expect(noticeTexts([killed], run(false, 2))).toEqual(['Step 2, s2: Said.'])
  expect(noticeTexts([notice({ step: 1 }), notice({ step: 1 })], run(false))).toEqual(['Said.'])
})

it('does not say of a run that has ended that it holds its locks', () => {
  const left = notice({ code: 'survivors_left', params: { pids: [12, 13] } })
  expect(noticeTexts([left], run(true))).toEqual(['Said.'])
  expect(noticeTexts([left], run(false))[0]).toMatch(/: 12, 13$/)
})

it('tells of output that was cut, and of output that is not live only while the run is active', () => {
  const told = [notice({ code: 'output_paused', message: 'Later.' }), notice({ code: 'output_truncated' })]
  expect(noticeTexts(told, run(true))).toEqual(['Later.', 'Said.'])
  expect(noticeTexts(told, run(false))).toEqual(['Said.'])
})
