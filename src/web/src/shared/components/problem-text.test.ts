import { mount, RouterLinkStub } from '@vue/test-utils'
import { expect, it } from 'vitest'
import ProblemText from './ProblemText.vue'
import TimeText from './TimeText.vue'

const RUN = '01a2164a-2d6c-7016-a5f5-090e1891707b'
const SINCE = '2026-01-02T03:04:05.678Z'

function shown(message: string, params = {}, line: number | null = null) {
  return mount(ProblemText, {
    props: { problem: { message, params, line } },
    global: { stubs: { RouterLink: RouterLinkStub, TimeText: true } },
  })
}

it('leads to the run that it names, and shows its moment as everywhere', () => {
  const found = shown(`Held by run ${RUN} since ${SINCE}, it says.`, { run_id: RUN, since: SINCE })
  const link = found.getComponent(RouterLinkStub)
  expect([link.props('to'), link.text()]).toEqual([`/run/${RUN}`, '090e1891707b'])
  expect(found.getComponent(TimeText).props('at')).toBe(SINCE)
  expect(found.text()).toMatch(/^Held by run 090e1891707b since .*, it says\.$/)
})

it('finds nothing in the text by itself', () => {
  const found = shown(`Run ${RUN} <b>text</b>`)
  expect(found.text()).toBe(`Run ${RUN} <b>text</b>`)
  expect(found.findComponent(RouterLinkStub).exists()).toBe(false)
})

it('says the line', () => expect(shown('Broken', {}, 7).text()).toBe('Broken (line 7)'))
