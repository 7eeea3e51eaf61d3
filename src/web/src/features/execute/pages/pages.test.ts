import { expect, it } from 'vitest'
import type { Field } from '@/shared/inputs/field'
import { pagesOf } from './pages'
import { reviewed } from './review'

const field = (name: string, more: Partial<Field> = {}) =>
  ({ name, kept: true, columns: [], default: null, hasDefault: false, supplied: false, ...more }) as unknown as Field
const GROUPS = [{ name: null, inputs: ['A'] }, { name: 'Network', inputs: ['B', 'C'] }]
const list = (count: number) => field('C', { columns: Array.from({ length: count }, (_, at) => field(`X${at}`)) })

it('divides a long form into its groups, and leaves a short one whole', () => {
  const long = [field('A'), field('B'), list(6)]
  expect(pagesOf(long, GROUPS).map((page) => [page.key, page.title, page.fields.length])).toEqual([
    ['1', 'General', 1], ['2', 'Network', 2],
  ])
  expect(pagesOf([field('A'), field('B'), list(5)], GROUPS)).toEqual([])
  expect(pagesOf(long, [{ name: 'All', inputs: ['A', 'B', 'C'] }])).toEqual([])
})

it('reviews what a run would get, and no secret', () => {
  expect(reviewed(field('A'), { A: 'x' })).toMatchObject({ text: 'x', note: '' })
  expect(reviewed(field('A', { kept: false }), { A: 'hunter22' }).text).toMatch(/^•+$/)
  expect(reviewed(field('A'), { A: '' })).toMatchObject({ text: '', note: 'Empty' })
  expect(reviewed(field('A'), {})).toMatchObject({ text: '', note: 'Not set' })
  expect(reviewed(field('A', { default: 'd', hasDefault: true }), {})).toMatchObject({ text: 'd', note: 'default' })
  expect(reviewed(field('A', { supplied: true }), {})).toMatchObject({ note: 'From the server' })
  expect(reviewed(field('A'), { A: [{ X: '1' }] }).rows).toEqual([{ X: '1' }])
  expect(reviewed(field('A'), { A: [] })).toMatchObject({ rows: null, note: 'No rows' })
})
