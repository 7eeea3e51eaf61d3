import { afterEach, beforeEach, expect, it } from 'vitest'
import { effectScope, nextTick, ref, shallowRef } from 'vue'
import type { WholeRun } from '@/api/runs'
import type { StepRun } from './rows'
import { isTrouble, useSections } from './sections'

const isFollowing = ref(true)
const isFiltered = ref(false)
const run = shallowRef({} as WholeRun)
let scope = effectScope()
let sections: ReturnType<typeof useSections>

function step(n: number, status: StepRun['status'], first = n * 10): StepRun {
  const finished_at = status === 'running' ? null : '2026-01-31T08:00:00Z'
  return { n, status, first_line: first, last_line: first + 9, finished_at } as StepRun
}

function show(id: string, ...steps: StepRun[]) {
  run.value = { id, steps } as WholeRun
}

const open = () => run.value.steps.map(sections.isOpen)

beforeEach(() => {
  isFollowing.value = true
  isFiltered.value = false
  show('a', step(1, 'succeeded'), step(2, 'failed'), step(3, 'running'))
  scope = effectScope()
  scope.run(() => {
    sections = useSections(
      () => run.value,
      () => isFollowing.value,
      () => isFiltered.value,
    )
  })
})
afterEach(() => scope.stop())

it('opens active and failed steps', () => {
  expect(open()).toEqual([false, true, true])
  expect(run.value.steps.map(isTrouble)).toEqual([false, true, false])
})

it('opens all steps while lines are filtered, except those that someone closed', () => {
  isFiltered.value = true
  expect(open()).toEqual([true, true, true])
  sections.toggle(run.value.steps[1] as StepRun)
  expect(open()).toEqual([true, false, true])
})

it('remembers what someone opened and closed, for this run only', async () => {
  for (const one of run.value.steps) sections.toggle(one)
  expect(open()).toEqual([true, false, false])
  show('b', ...run.value.steps)
  await nextTick()
  expect(open()).toEqual([false, true, true])
})

it('closes a step that ended well while it is followed, but not under the eyes of a reader', async () => {
  show('a', step(1, 'succeeded'), step(2, 'failed'), step(3, 'succeeded'))
  await nextTick()
  expect(open()).toEqual([false, true, false])

  show('a', step(4, 'running'))
  await nextTick()
  isFollowing.value = false
  show('a', step(4, 'succeeded'))
  await nextTick()
  expect(open()).toEqual([true])
})

it('opens the step of a line, also of one that goes on', () => {
  sections.setAll(false)
  sections.openLine(15)
  expect(open()).toEqual([true, false, false])
  sections.openLine(500)
  expect(open()).toEqual([true, false, true])
})
