import { expect, it } from 'vitest'
import type { InputItem, Runbook } from '@/api/runbooks'
import type { WholeRun } from '@/api/runs'
import { changedValues, confirmText, fieldsOf, followUps, namesNotKept } from './followup'

function input(name: string, more: Partial<InputItem> = {}): InputItem {
  return { name, description: '', type: 'string', typed: true, from: null, default: null, ...more } as InputItem
}
const run = (more: object) =>
  ({ status: 'failed', success: false, relation: null, steps: [], inputs: {}, ...more }) as unknown as WholeRun

it('asks for what was not kept, and offers the rest to be mended', () => {
  const inputs = [input('PORT'), input('TOKEN', { type: 'secret' }), input('FILE', { type: 'file' })]
  const earlier = run({ inputs: { PORT: { value: '80' }, TOKEN: { given: true } } })
  const fields = fieldsOf(earlier, inputs, 'resume')
  expect(fields.map((field) => [field.name, field.kept, field.isNeeded])).toEqual([
    ['PORT', '80', false],
    ['TOKEN', null, true],
  ])
  expect(fieldsOf(earlier, inputs, 'undo').map((field) => field.name)).toEqual(['TOKEN'])
  expect(changedValues(fields, { PORT: '80', TOKEN: 'x' })).toEqual({ TOKEN: 'x' })
})

it('reads which values are to be given again', () => {
  expect(
    namesNotKept(['The value of PASS was not kept: it has to be given again', 'Another']),
  ).toEqual(['PASS'])
})

it('fills in what is to be confirmed', () => {
  const runbook = { policy: { confirm: 'delete ${NAME}' } } as unknown as Runbook
  expect(confirmText(run({}), runbook, { NAME: 'web1' })).toBe('delete web1')
  expect(confirmText(run({ dry_run: true }), runbook, {})).toBeNull()
})

it('offers what may follow', () => {
  const runbook = { steps: [{ reversible: true }] } as unknown as Runbook
  const done = { status: 'succeeded' }
  expect(followUps(run({ steps: [done, { status: 'failed' }] }), runbook)).toEqual([
    'resume',
    'retry',
    'undo',
  ])
  expect(followUps(run({ success: true }), undefined)).toEqual(['retry'])
  expect(followUps(run({ status: 'invalid' }), runbook)).toEqual([])
})
