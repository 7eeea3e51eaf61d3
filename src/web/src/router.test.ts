import { expect, it } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import { routes } from './router'
import { runbookLink } from './shared/links'

const router = createRouter({ history: createMemoryHistory(), routes })

it.each(['language/Locks.md', 'Plain.md', 'net/Push config?.md', 'a#b/100%.md'])(
  'keeps the slashes of %s where only the query changes',
  (ref) => {
    const now = router.resolve(runbookLink(ref))
    const props = now.matched[0]?.props.default as (route: typeof now) => unknown
    expect(props(now)).toEqual({ runbookRef: ref })
    const next = router.resolve({ query: { view: 'history' } }, now)
    expect(next.path.split('/').length).toBe(now.path.split('/').length)
    expect(next.path).not.toContain('%2F')
    expect(props(next)).toEqual({ runbookRef: ref })
  },
)

it('knows a ref whose slashes were escaped', () => {
  const found = router.resolve('/runbook/language%2FLocks.md')
  const props = found.matched[0]?.props.default as (route: typeof found) => unknown
  expect(props(found)).toEqual({ runbookRef: 'language/Locks.md' })
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
