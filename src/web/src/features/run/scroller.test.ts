import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { effectScope, nextTick, ref, shallowRef } from 'vue'
import { Extra, LINE, Rows } from './rows'
import { useScroller } from './scroller'

const VIEW = 400
let resize: (entries: { contentRect: { width: number; height: number } }[]) => void
let scope = effectScope()

beforeEach(() => {
  vi.stubGlobal(
    'ResizeObserver',
    class {
      constructor(callback: typeof resize) {
        resize = callback
      }
      observe() {
        resize([{ contentRect: { width: 800, height: VIEW } }])
      }
      unobserve = vi.fn()
      disconnect = vi.fn()
    },
  )
})
afterEach(() => scope.stop())

/** A box that scrolls over so many lines, as a browser would: no further than to its end. */
async function scrollerOver(count: number) {
  const extra = shallowRef(new Extra())
  const rows = shallowRef(new Rows([], count, () => true, extra.value))
  const box = ref<HTMLElement | null>(null)
  scope = effectScope()
  const scroller = scope.run(() => useScroller(box, rows, extra)) as ReturnType<typeof useScroller>
  const element = document.createElement('div')
  let top = 0
  Object.defineProperties(element, {
    scrollHeight: { get: () => scroller.height.value },
    clientHeight: { get: () => VIEW },
    scrollTop: {
      get: () => top,
      set: (y: number) => (top = Math.min(Math.max(0, y), scroller.height.value - VIEW)),
    },
  })
  box.value = element
  await nextTick()
  const grow = async (more: number) => {
    rows.value = new Rows([], more, () => true, extra.value)
    await nextTick()
  }
  const scrollTo = (y: number) => {
    element.scrollTop = y
    scroller.onScroll()
  }
  const lines = () => scroller.visible.value.map((row) => row.line)
  return { scroller, element, grow, scrollTo, lines }
}

it('draws only what is in sight and a little around it', async () => {
  const { lines } = await scrollerOver(1_000)
  expect(lines()[0]).toBe(1)
  expect(lines().length).toBeLessThan((VIEW + 600) / LINE)
})

it('stays at the end while lines come', async () => {
  const { scroller, element, grow, lines } = await scrollerOver(100)
  await scroller.goTo('end')
  expect(element.scrollTop).toBe(100 * LINE - VIEW)
  await grow(300)
  expect(element.scrollTop).toBe(300 * LINE - VIEW)
  expect(lines().at(-1)).toBe(300)
  expect(scroller.isAtEnd.value).toBe(true)
})

it('follows no more once someone scrolls up, and again once they are back', async () => {
  const { scroller, element, grow, scrollTo } = await scrollerOver(100)
  await scroller.goTo('end')
  scrollTo(200)
  expect(scroller.pin.value).toBeNull()
  await grow(300)
  expect(element.scrollTop).toBe(200)
  expect(scroller.isAtEnd.value).toBe(false)
  scrollTo(300 * LINE - VIEW)
  expect(scroller.pin.value).toBe('end')
})

it('does not take its own scrolling for that of a person', async () => {
  const { scroller } = await scrollerOver(100)
  await scroller.goTo({ line: 50 })
  scroller.onScroll()
  expect(scroller.pin.value).toEqual({ line: 50 })
})

it('shows a line in the upper third', async () => {
  const { scroller, element, lines } = await scrollerOver(1_000)
  await scroller.goTo({ line: 500 })
  expect(element.scrollTop).toBe(Math.round(499 * LINE - VIEW / 3))
  expect(lines()).toContain(500)
})

it('reaches each line of a log that is higher than browsers draw', async () => {
  const { scroller, lines } = await scrollerOver(2_000_000)
  expect(scroller.height.value).toBeLessThan(2_000_000 * LINE)
  await scroller.goTo('end')
  expect(lines()).toContain(2_000_000)
  await scroller.goTo({ line: 1_234_567 })
  expect(lines()).toContain(1_234_567)
})

it('keeps what stands at the top where lines above it turn out to be higher', async () => {
  const { scroller, element, grow, scrollTo } = await scrollerOver(100)
  scrollTo(10 * LINE)
  const row = document.createElement('div')
  row.dataset.index = '5'
  Object.defineProperty(row, 'offsetHeight', { value: 3 * LINE })
  element.append(row)
  const other = scroller.measure()
  expect(other?.anchor?.line).toBe(11)
  await grow(100)
  scroller.keepAnchor(other?.anchor, other?.below ?? 0)
  expect(element.scrollTop).toBe(12 * LINE)
  expect(scroller.measure()).toBeNull()
})
