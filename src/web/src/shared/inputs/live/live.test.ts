import { VueQueryPlugin } from '@tanstack/vue-query'
import { expect, it, vi } from 'vitest'
import { createApp, effectScope, nextTick } from 'vue'
import type { OfferedChoices } from '@/api/choices'
import type { Field, Live } from '../field'
import { askedBody, asOf, dependence, isWithout, neededNames, strangers, useLiveChoices } from './live'

const LIVE: Live = { href: '/', inputs: ['REGION', 'ZONE'], strict: true, ttlMs: 0 }
const field = (name: string, more: Partial<Field> = {}) =>
  ({ name, label: '', kept: true, type: 'string', conditions: [], default: null, columns: [], ...more }) as unknown as Field
const answer = (values: string[], code?: string) =>
  ({ choices: values.map((value) => ({ value, label: value, description: null })), problem: code ? { code } : null }) as unknown as OfferedChoices

it('tells the source no secret, no file and not the list itself', () => {
  const list = field('NICS', { columns: [field('ZONE'), field('NETWORK')] })
  const fields = [field('REGION'), field('TOKEN', { kept: false }), field('PLAN'), list]
  const given = { REGION: 'north', TOKEN: 's', PLAN: { name: 'a', content_base64: '' }, NICS: [{ ZONE: 'n1' }] }
  expect(askedBody(fields, given, list, { ZONE: 'n1', NETWORK: '' })).toEqual({
    env_vars: { REGION: 'north' }, row: { ZONE: 'n1' },
  })
})

it('asks again only when a value changes that the choices depend on; a field of the row wins', () => {
  const body = { env_vars: { REGION: 'north', ZONE: 'n1', OTHER: 'a' }, row: { ZONE: 'n2' } }
  expect(dependence(LIVE, body)).toBe('["north","n1"]')
  expect(dependence(LIVE, body, ['ZONE'])).toBe('["north","n2"]')
  expect(dependence(LIVE, { ...body, row: {} }, ['ZONE'])).toBe('["north",""]')
})

it('asks only for users who may execute the runbook', async () => {
  const fetched = vi.fn(() => Promise.resolve(new Response(JSON.stringify({ choices: [], problem: null }))))
  vi.stubGlobal('fetch', fetched)
  const app = createApp({}).use(VueQueryPlugin)
  const scope = effectScope()
  const begin = (mayAsk: boolean) =>
    app.runWithContext(() => scope.run(() => useLiveChoices(LIVE, () => ({ env_vars: {} }), () => [], () => mayAsk)))
  const barred = begin(false)
  await nextTick()
  expect([fetched.mock.calls.length, barred?.isLoading.value, barred?.error.value]).toEqual([0, false, null])
  begin(true)
  await vi.waitFor(() => expect(fetched).toHaveBeenCalledOnce())
  scope.stop()
})

it('marks what is no longer offered, once that is known', () => {
  expect(strangers('choice', 'b', answer(['a']))).toEqual(['b'])
  expect(strangers('multichoice', 'a,b', answer(['a']))).toEqual(['b'])
  expect(strangers('choice', 'b', null)).toEqual([])
  expect(strangers('choice', 'b', answer([], 'choices_failed'))).toEqual([])
  expect(strangers('choice', '', answer(['a']))).toEqual([])
})

it('lets people type where nothing is offered', () => {
  expect([answer([]), answer([], 'choices_failed'), answer([], 'choices_unknown')].every(isWithout)).toBe(true)
  expect([answer(['a']), answer([], 'choices_need_inputs'), null].some(isWithout)).toBe(false)
})

it('names what is needed first', () => {
  const fields = [field('NODE', { label: 'Node' }), field('POOL')]
  expect(neededNames('NODE', fields)).toBe('Node')
  expect(neededNames('NODE, POOL, X', fields)).toBe('Node, POOL and X')
})

it('gives the time of an answer, and the date of an old one', () => {
  const at = new Date(2026, 0, 23, 14, 2)
  expect(asOf(at.toISOString(), at.getTime() + 60_000)).toMatch(/^14:02/)
  expect(asOf(at.toISOString(), at.getTime() + 3 * 86_400_000)).toMatch(/^2026-01-23 14:02/)
})
