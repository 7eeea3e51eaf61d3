import { expect, it } from 'vitest'
import type { WholeRun } from '@/api/runs'
import { actionsOn, shownCount } from './actions'

const run = (more: object) =>
  ({
    id: 'r', runbook: 'a.md', success: false, dry_run: false, inputs: {}, available_actions: [], unavailable_actions: [],
    ...more,
  }) as unknown as WholeRun

/** The texts of the buttons, and of the items of the menu. */
function texts(more: object, canExecute = true) {
  const actions = actionsOn(run(more), canExecute)
  const shown = shownCount(actions)
  return [actions.slice(0, shown), actions.slice(shown)].map((some) => some.map(({ text }) => text).join(', '))
}

it('shows one primary and one secondary action, and the rest in a menu', () => {
  const available_actions = ['undo', 'retry', 'resume']
  expect(texts({ available_actions })).toEqual(['Resume, Execute again', 'Retry, Undo'])
  expect(texts({ available_actions: ['retry'] })).toEqual(['Retry, Execute again', ''])
  expect(texts({ available_actions: ['undo'] })).toEqual(['Execute again', 'Undo'])
  expect(texts({ available_actions: ['undo', 'retry'], success: true })).toEqual(['Execute again', 'Retry, Undo'])
  expect(texts({ dry_run: true, success: true })).toEqual(['Execute for real, Execute again', ''])
})

it('links nowhere where the runbook cannot be executed, and keeps the values elsewhere', () => {
  const [again] = actionsOn(run({ inputs: { A: { value: '1' } } }), true)
  expect(again?.to).toBe('/execute/a.md?from=r')
  const refused = actionsOn(run({ available_actions: ['retry'] }), false)
  expect(refused.map(({ to, isDisabled }) => [to, isDisabled])).toEqual([[undefined, true], [undefined, true]])
})
