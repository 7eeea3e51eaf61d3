import { expect, it } from 'vitest'
import { urlOf } from './url'

const route = { query: { q: 'a' } as Record<string, string>, hash: '#L1' }
const asked: object[] = []
const replace = (place: object) => {
  asked.push(place)
  return Promise.resolve()
}

it('loses no change that is made while another one is under way', async () => {
  const { change } = urlOf(route, { replace })
  change({ hash: '#L5' })
  change({ query: { stream: undefined } })
  expect(asked.at(-1)).toEqual({ query: { q: 'a', stream: undefined }, hash: '#L5' })
  await new Promise((resolve) => setTimeout(resolve))
  change({ query: { q: 'b' } })
  expect(asked.at(-1)).toEqual({ query: { q: 'b' }, hash: '#L1' })
})
