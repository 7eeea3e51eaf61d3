import { beforeEach, expect, it } from 'vitest'
import { session, signIn, signOut } from '@/auth/session'
import { dropAllDrafts, dropDraft, loadDraft, saveDraft } from './drafts'

const ANN = { token: 't', subject: 'ann', roles: [], expiresAt: Date.now() + 60_000 }

beforeEach(() => {
  sessionStorage.clear()
  signIn(ANN)
})

it('keeps what was typed over another sign-in of the same person', () => {
  saveDraft('form', { A: 'typed' })
  signOut()
  signIn(ANN)
  expect(loadDraft('form')).toEqual({ A: 'typed' })
})

it('shows it to no one else', () => {
  saveDraft('form', { A: 'typed' })
  signIn({ ...ANN, subject: 'bob' })
  expect(loadDraft('form')).toEqual({})
})

it('keeps nothing for nobody', () => {
  signOut()
  saveDraft('form', { A: 'typed' })
  expect(session.current).toBeNull()
  expect(sessionStorage).toHaveLength(0)
})

it('drops one, or all', () => {
  saveDraft('a', { A: '1' })
  saveDraft('b', { B: '2' })
  dropDraft('a')
  expect(loadDraft('a')).toEqual({})
  dropAllDrafts()
  expect(loadDraft('b')).toEqual({})
})

it('takes only texts from what it finds', () => {
  sessionStorage.setItem('runbook.draft.ann.form', '{"A": "x", "B": 5}')
  expect(loadDraft('form')).toEqual({ A: 'x' })
  sessionStorage.setItem('runbook.draft.ann.form', 'broken')
  expect(loadDraft('form')).toEqual({})
})
