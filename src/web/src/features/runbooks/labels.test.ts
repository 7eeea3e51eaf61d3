import { expect, it } from 'vitest'
import { readListFilter, withOwner, withTag } from './labels'

it('reads the filter of the URL', () => {
  expect(readListFilter({})).toEqual({ access: 'all', tags: [], owner: '' })
  const query = { access: 'mine', tag: ['edge', '', null], owner: 'ann' }
  expect(readListFilter(query)).toEqual({ access: 'mine', tags: ['edge'], owner: 'ann' })
})

it('adds and removes tags and the owner, and leaves the rest', () => {
  expect(withTag({ q: 'x' }, 'edge')).toEqual({ q: 'x', tag: ['edge'] })
  expect(withTag({ tag: 'edge' }, 'db')).toEqual({ tag: ['edge', 'db'] })
  expect(withTag({ tag: ['edge', 'db'] }, 'EDGE')).toEqual({ tag: ['db'] })
  expect(withTag({ tag: 'edge' }, 'edge')).toEqual({ tag: undefined })
  expect(withOwner({ q: 'x' }, 'ann')).toEqual({ q: 'x', owner: 'ann' })
  expect(withOwner({ owner: 'Ann' }, 'ann')).toEqual({ owner: undefined })
})
