import { expect, it } from 'vitest'
import type { InputItem } from '@/api/runbooks'
import type { WholeRun } from '@/api/runs'
import type { FormDraft } from '@/shared/inputs/draft'
import { fieldsOf } from '@/shared/inputs/fields'
import { namesToReenter } from '@/shared/inputs/kept'
import { beginning } from './initial-values'

function input(name: string, more: Partial<InputItem> = {}): InputItem {
  const sensitive = more.type === 'secret'
  const standard = { type: 'string', typed: true, optional: true, default: null, choices: [], show_if: [], items: [], line: 1 }
  return { name, sensitive, ...standard, ...more } as InputItem
}
const FIELDS = fieldsOf(
  [input('TARGET'), input('NOTE'), input('PORT', { default: '80' }), input('TOKEN', { type: 'secret' })],
  {},
  [],
)
const RUN = {
  id: 'r1',
  inputs: { TARGET: { value: 'web1' }, NOTE: { value: '' }, TOKEN: { given: true }, GONE: { value: 'x' } },
} as unknown as WholeRun

const draft = (values: Record<string, string> = {}, mark = ''): FormDraft =>
  ({ isThere: true, values, empty: [], reason: undefined, has: (one) => one === mark })

it('takes what a run kept, and names the rest', () => {
  const { start } = beginning({}, FIELDS, draft(), RUN)
  expect(start.values).toEqual({ TARGET: 'web1', NOTE: '', PORT: '80', TOKEN: '' })
  expect(start.empty).toEqual(['NOTE'])
  expect(namesToReenter(RUN, FIELDS)).toEqual(['TOKEN'])
})

it('mixes nothing that was typed elsewhere into the values of a run', () => {
  const typed = draft({ TARGET: 'typed', PORT: '1' })
  expect(beginning({}, FIELDS, typed, undefined).start.values).toMatchObject({ TARGET: 'typed', PORT: '1' })
  expect(beginning({}, FIELDS, typed, RUN).start.values).toMatchObject({ TARGET: 'web1', PORT: '80' })
})

it('lets the address say otherwise, and what was typed over both', () => {
  const query = { 'env.TARGET': 'linked' }
  const { mark, start } = beginning(query, FIELDS, draft(), RUN)
  expect(start.values).toMatchObject({ TARGET: 'linked', NOTE: '' })
  const again = beginning(query, FIELDS, draft({ TARGET: 'typed' }, mark), RUN)
  expect(again.start.values).toMatchObject({ TARGET: 'typed' })
  expect(beginning(query, FIELDS, draft({ TARGET: 'typed' }, mark), undefined).start.values).toMatchObject({ TARGET: 'linked' })
})
