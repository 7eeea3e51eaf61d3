import { mount, RouterLinkStub } from '@vue/test-utils'
import { expect, it } from 'vitest'
import EngineText from './EngineText.vue'
import TimeText from './TimeText.vue'

const RUN = '01a2164a-2d6c-7016-a5f5-090e1891707b'

function shown(text: string) {
  return mount(EngineText, { props: { text }, global: { stubs: { RouterLink: RouterLinkStub, TimeText: true } } })
}

it('leads to runs, and shows moments as everywhere', () => {
  const found = shown(`Held by run ${RUN} since 2026-01-02T03:04:05.678Z, it says.`)
  const link = found.getComponent(RouterLinkStub)
  expect([link.props('to'), link.text()]).toEqual([`/run/${RUN}`, '090e1891707b'])
  expect(found.getComponent(TimeText).props('at')).toBe('2026-01-02T03:04:05.678Z')
  expect(found.text()).toMatch(/^Held by run 090e1891707b since .*, it says\.$/)
})

it.each([`x${RUN}`, `${RUN}0`, '2026-01-02', '<b>text</b>'])('leaves %s as it is', (text) => {
  expect(shown(text).text()).toBe(text)
  expect(shown(text).findComponent(RouterLinkStub).exists()).toBe(false)
})
