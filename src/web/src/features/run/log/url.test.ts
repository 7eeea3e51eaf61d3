import { expect, it, vi } from 'vitest'
import { useUrl } from './url'

const route = { query: { q: 'a' } as Record<string, string>, hash: '#L1' }
const replace = vi.fn<(place: object) => Promise<void>>(() => Promise.resolve())
vi.mock('vue-router', () => ({ useRoute: () => route, useRouter: () => ({ replace }) }))

it('loses no change that is made while another one is under way', async () => {
  const { change } = useUrl()
  change({ hash: '#L5' })
  change({ query: { stream: undefined } })
  expect(replace).toHaveBeenLastCalledWith({ query: { q: 'a', stream: undefined }, hash: '#L5' })
  await Promise.resolve().then(() => new Promise(setImmediate))
  change({ query: { q: 'b' } })
  expect(replace).toHaveBeenLastCalledWith({ query: { q: 'b' }, hash: '#L1' })
})
