import { expect, it } from 'vitest'
import type { InputItem, Runbook } from '@/api/runbooks'
import type { WholeRun } from '@/api/runs'
import { fieldsOf } from '@/shared/inputs/fields'
import {
  changedValues, rerunFields, offeredReruns, keptStart, inputsNotKept, resumeSteps, stepWord, wholeValues,
} from './rerun'

function input(name: string, more: Partial<InputItem> = {}): InputItem {
  const sensitive = more.type === 'secret'
  const standard = { description: '', type: 'string', typed: true, from: null, default: null, choices: [] }
  return { name, sensitive, ...standard, ...more } as InputItem
}
const run = (more: object) =>
  ({ status: 'failed', success: false, relation: null, steps: [], inputs: {}, ...more }) as unknown as WholeRun

const FILE = { name: 'a', content_base64: 'YQ==' }
const DECLARED = fieldsOf(
  [
    input('PORT', { type: 'integer' }),
    input('NOTE', { optional: true }),
    input('TOKEN', { type: 'secret' }),
    input('FILE', { type: 'file', optional: true }),
  ],
  {},
  [],
)
const EARLIER = run({
  inputs: { PORT: { value: '80' }, NOTE: { value: 'a' }, TOKEN: { given: true }, FILE: { given: true } },
})

it('asks for what was not kept, and offers the rest to be mended', () => {
  const fields = rerunFields(EARLIER, DECLARED, 'resume', [])
  expect(fields.map((field) => [field.name, field.required, field.note !== ''])).toEqual([
    ['PORT', true, false],
    ['NOTE', false, false],
    ['TOKEN', true, true],
    ['FILE', true, true],
  ])
  expect(keptStart(EARLIER, fields)).toEqual({ PORT: '80', NOTE: 'a', TOKEN: '', FILE: '' })
  expect(rerunFields(EARLIER, DECLARED, 'undo', []).map((field) => field.name)).toEqual(['TOKEN', 'FILE'])
})

it('does not ask for what the server has, until the server asks', () => {
  const declared = fieldsOf([input('TOKEN', { type: 'secret' })], {}, ['TOKEN'])
  expect(rerunFields(EARLIER, declared, 'retry', [])[0]?.required).toBe(false)
  const fields = rerunFields(EARLIER, declared, 'retry', ['TOKEN', 'HANDED'])
  expect(fields.map((field) => [field.name, field.type, field.required])).toEqual([
    ['TOKEN', 'secret', true],
    ['HANDED', 'secret', true],
  ])
})

it('sends what differs only, and takes back what was emptied', () => {
  const fields = rerunFields(EARLIER, DECLARED, 'retry', [])
  const changed = (sent: object) => changedValues(EARLIER, fields, { PORT: '80', NOTE: 'a', ...sent })
  expect(changed({ TOKEN: 'x', FILE })).toEqual({ TOKEN: 'x', FILE })
  expect(changed({ PORT: undefined, NOTE: '' })).toEqual({ PORT: '', NOTE: '' })
  expect(wholeValues(EARLIER, DECLARED, changed({ PORT: undefined, TOKEN: 'x' }))).toEqual({ NOTE: 'a', TOKEN: 'x' })
  expect(fields.map((field) => field.emptyText)).toEqual(['never', 'always', 'never', 'never'])
})

it('reads which values are to be given again', () => {
  expect(
    inputsNotKept([
      { code: 'value_not_kept', params: { variable: 'PASS' }, message: '', severity: 'error' },
      { code: 'missing_input', params: { variable: 'OTHER' }, message: '', severity: 'error' },
    ]),
  ).toEqual(['PASS'])
})

it('offers the steps up to the one that it goes on with', () => {
  const runbook = { steps: [{ name: 'One' }, { name: 'Two' }, { name: 'Three' }, { name: 'Four' }] } as unknown as Runbook
  const earlier = run({ resume_from: 3, steps: [{ n: 1, name: 'Step 1' }, { n: 2, name: 'Step 2' }] })
  expect(resumeSteps(earlier, runbook)).toEqual([
    { n: 1, name: 'Step 1', isDone: true },
    { n: 2, name: 'Step 2', isDone: true },
    { n: 3, name: 'Three', isDone: false },
  ])
})

it('names a step by its number, unless another one is called that', () => {
  const steps = [{ n: 1, name: '2', isDone: true }, { n: 2, name: 'Two', isDone: false }]
  expect(steps.map((step) => stepWord(step, steps))).toEqual(['1', 'Two'])
})

it('offers the reruns that the state of the run allows, also those for which the claims are missing', () => {
  const because = (action: string, code: string) => ({ action, problem: { code } })
  const offered = (available_actions: string[], unavailable_actions: object[] = []) =>
    offeredReruns(run({ available_actions, unavailable_actions }))
  expect(offered(['undo', 'retry', 'resume'])).toEqual(['resume', 'retry', 'undo'])
  expect(offered(['cancel'], [because('retry', 'run_active')])).toEqual([])
  expect(offered([], [because('retry', 'access_denied'), because('resume', 'resumed')])).toEqual(['retry'])
})
