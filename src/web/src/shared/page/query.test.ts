import { expect, it } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import { changeQuery } from './query'

it('keeps changes that are made at the same time', async () => {
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [{ path: '/', component: {} }],
  })
  await router.push('/?q=x&other=1')
  void changeQuery(router, (query) => ({ ...query, q: undefined }))
  await changeQuery(router, (query) => ({ ...query, access: 'mine' }))
  expect(router.currentRoute.value.query).toEqual({ other: '1', access: 'mine' })
})
