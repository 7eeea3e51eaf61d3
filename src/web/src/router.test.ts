import { expect, it } from 'vitest'
import { createMemoryHistory, createRouter, type RouteLocationNormalized, type RouteLocationResolved } from 'vue-router'
import { routes } from './router'
import { runbookLink } from './shared/links'

const router = createRouter({ history: createMemoryHistory(), routes })

const normalized = (found: RouteLocationResolved) => found as RouteLocationNormalized

/** What the page at an address is given. */
function propsOf(found: RouteLocationResolved): unknown {
  const props = found.matched[0]?.props.default
  return typeof props === 'function' ? props(normalized(found)) : props
}

it.each(['language/Locks.md', 'Plain.md', 'net/Push config?.md', 'a#b/100%.md'])(
  'keeps the slashes of %s where only the query changes',
  (ref) => {
    const now = router.resolve(runbookLink(ref))
    expect(propsOf(now)).toEqual({ runbookRef: ref })
    const next = router.resolve({ query: { view: 'history' } }, normalized(now))
    expect(next.path.split('/').length).toBe(now.path.split('/').length)
    expect(next.path).not.toContain('%2F')
    expect(propsOf(next)).toEqual({ runbookRef: ref })
  },
)

it('knows a ref whose slashes were escaped', () => {
  const found = router.resolve('/runbook/language%2FLocks.md')
  expect(propsOf(found)).toEqual({ runbookRef: 'language/Locks.md' })
})

it.each([
  ['/runbook/', '/runbooks'],
  ['/runbook', '/runbooks'],
  ['/execute/', '/runbooks'],
  ['/run/', '/runs'],
  ['/compare/', '/runs'],
])('leads from %s to the list', (path, list) => {
  expect(router.resolve(path).matched[0]?.redirect).toBe(list)
})

it('has a page for addresses that are none', () => {
  expect(router.resolve('/runbook//x.md').name).toBe('missing')
})
