import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import { loadFailure, useLoading } from './loading'

const Page = { template: '' }
const FAILED = new TypeError('Failed to fetch dynamically imported module: /assets/Far-1.js')
const settled = () => new Promise((resolve) => setImmediate(resolve))
let load: () => Promise<typeof Page>

function begin() {
  const reload = vi.fn()
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/', component: Page },
      { path: '/far', component: () => load() },
    ],
  })
  return { router, reload, ...useLoading(router, reload) }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  document.head.innerHTML = '<script type="module" src="/assets/index-1.js"></script>'
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

it('marks a page that takes long to load', async () => {
  let arrive: (page: typeof Page) => void = vi.fn()
  load = () => new Promise((resolve) => (arrive = resolve))
  const { router, isPending } = begin()
  await router.push('/')
  const going = router.push('/far')
  await settled()
  expect(isPending.value).toBe(false)
  vi.advanceTimersByTime(300)
  expect(isPending.value).toBe(true)
  arrive(Page)
  await going
  expect(isPending.value).toBe(false)
})

it('loads the app anew where the server has a newer one', async () => {
  load = () => Promise.reject(FAILED)
  vi.stubGlobal('fetch', () => Promise.resolve(new Response('<script src="/assets/index-2.js">')))
  const { router, reload, failed } = begin()
  await router.push('/')
  await expect(router.push('/far?a=1')).rejects.toThrow()
  await settled()
  expect(reload).toHaveBeenCalledWith('/far?a=1')
  expect(failed.value).toBeNull()
})

it.each([
  ['the server is away', () => Promise.reject(new TypeError('Failed to fetch'))],
  ['it has the same app', () => Promise.resolve(new Response('<script src="/assets/index-1.js">'))],
])('says so and can try again where %s', async (_, answer) => {
  load = () => Promise.reject(FAILED)
  vi.stubGlobal('fetch', answer)
  const { router, reload, failed, again } = begin()
  await router.push('/')
  await expect(router.push('/far')).rejects.toThrow()
  await settled()
  expect([reload.mock.calls.length, failed.value?.path]).toEqual([0, '/far'])
  load = () => Promise.resolve(Page)
  again()
  await vi.waitFor(() => expect(router.currentRoute.value.path).toBe('/far'))
  expect(failed.value).toBeNull()
})

it('tells a device without a network from a server that is away', () => {
  const titles = [true, false].map((onLine) => {
    vi.stubGlobal('navigator', { onLine })
    return loadFailure().title
  })
  expect(titles[0]).not.toBe(titles[1])
  expect(titles[1]).toContain('offline')
})
