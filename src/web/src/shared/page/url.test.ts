import { expect, it } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import { urlOf } from './url'

async function open(path: string) {
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/', component: {} }] })
  await router.push(path)
  const route = {
    get query() { return router.currentRoute.value.query },
    get hash() { return router.currentRoute.value.hash },
  }
  return { route, change: urlOf(route, router).change }
}

it('loses no change that is made while another one is under way', async () => {
  const { route, change } = await open('/?q=x&stream=stderr&other=1#L1')
  void change({ hash: '#L5' })
  void change({ query: { stream: undefined } })
  await change((query) => ({ ...query, q: undefined, access: 'mine' }))
  expect([route.query, route.hash]).toEqual([{ other: '1', access: 'mine' }, '#L5'])
})

it('starts from the URL once earlier changes are done', async () => {
  const { route, change } = await open('/?q=x')
  await change({ query: { q: 'y' } })
  await change((query) => ({ q: `${String(query.q)}z` }))
  expect(route.query).toEqual({ q: 'yz' })
  await change(() => ({}))
  expect(route.query).toEqual({})
})

it('does not cancel a navigation to another page for a change that changes nothing', async () => {
  const { route, change } = await open('/?q=x')
  let replaced = 0
  const other = urlOf(route, { replace: async () => void (replaced += 1) })
  await other.change((query) => ({ ...query, q: 'x', site: undefined }))
  expect(replaced).toBe(0)
  await change({ query: { q: 'y' } })
  expect(route.query).toEqual({ q: 'y' })
})
