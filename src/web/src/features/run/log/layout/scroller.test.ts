import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { effectScope, nextTick, ref, shallowRef } from 'vue'
import { Extra, LINE, Rows } from './rows'
import { useScroller } from './scroller'

const VIEW = 400
type Resized = (entries: { target: Element; contentRect: { width: number; height: number } }[]) => void
let resized: Resized
let scope = effectScope()

beforeEach(() => {
  vi.stubGlobal(
    'ResizeObserver',
    class {
      constructor(callback: Resized) {
        resized = callback
      }
      observe(target: Element) {
        resized([{ target, contentRect: { width: 800, height: target.clientHeight } }])
      }
      unobserve = vi.fn()
      disconnect = vi.fn()
    },
  )
})
afterEach(() => scope.stop())

/**
 * A box that scrolls over so many lines, as a browser would: no further than to its end. Once
 * `late.is` is set, heights are what they were when `layOut` was called last.
 */
async function scrollerOver(count: number) {
  const extra = shallowRef(new Extra())
  const rows = shallowRef(new Rows([], count, () => true, extra.value))
  const box = ref<HTMLElement | null>(null)
  const content = ref<HTMLElement | null>(null)
  scope = effectScope()
  const scroller = scope.run(() => useScroller({ box, content }, rows, extra)) as ReturnType<
    typeof useScroller
  >
  const element = document.createElement('div')
  const inner = document.createElement('div')
  const late = { is: false, inner: 0 }
  const size = { outer: VIEW }
  let top = 0
  const innerHeight = () => (late.is ? late.inner : scroller.height.value)
  const clamped = (y: number) => Math.min(Math.max(0, y), innerHeight() - size.outer)
  Object.defineProperties(element, {
    scrollHeight: { get: innerHeight },
    clientHeight: { get: () => size.outer },
    scrollTop: { get: () => top, set: (y: number) => (top = clamped(y)) },
  })
  box.value = element
  content.value = inner
  await nextTick()
  /** What a browser does before it paints: clamp, then tell of sizes. */
  const layOut = (outer = size.outer) => {
    const isOther = late.inner !== scroller.height.value
    late.inner = scroller.height.value
    const wasOuter = size.outer
    size.outer = outer
    top = clamped(top)
    const rect = (height: number) => ({ width: 800, height })
    if (wasOuter !== outer) resized([{ target: element, contentRect: rect(outer) }])
    if (isOther) resized([{ target: inner, contentRect: rect(late.inner) }])
  }
  layOut()
  const grow = async (more: number) => {
    rows.value = new Rows([], more, () => true, extra.value)
    await nextTick()
  }
  const scrollTo = (y: number) => {
    element.scrollTop = y
    scroller.onScroll()
  }
  /** A person turns the wheel: the browser tells so, then scrolls. */
  const wheelTo = (y: number) => {
    element.dispatchEvent(new WheelEvent('wheel', { deltaY: y - top }))
    scrollTo(y)
  }
  const lines = () => scroller.visible.value.map((row) => row.line)
  return { scroller, element, late, layOut, grow, scrollTo, wheelTo, lines }
}

/** What was done to the layout has been drawn and reported. */
async function settle() {
  for (let frame = 0; frame < 6; frame += 1) await new Promise((resolve) => requestAnimationFrame(resolve))
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
  const { scroller, element, grow, scrollTo, wheelTo } = await scrollerOver(100)
  await scroller.goTo('end')
  wheelTo(200)
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

it('reaches the end where heights are laid out later than they were set', async () => {
  const { scroller, element, late, layOut, grow, lines } = await scrollerOver(100)
  await scroller.goTo('end')
  late.is = true
  await grow(5_000)
  expect(element.scrollTop).toBe(100 * LINE - VIEW)
  scroller.onScroll()
  layOut()
  scroller.onScroll()
  await nextTick()
  expect(element.scrollTop).toBe(5_000 * LINE - VIEW)
  expect(lines().at(-1)).toBe(5_000)
  expect(scroller.pin.value).toBe('end')
})

it('does not take what a late layout does for the scrolling of a person', async () => {
  const { scroller, element, late, grow, layOut } = await scrollerOver(100)
  await scroller.goTo('end')
  late.is = true
  await grow(50)
  // The browser clamps; before its event is heard, more lines are laid out.
  late.inner = 50 * LINE
  element.scrollTop = 50 * LINE
  await grow(300)
  late.inner = 100 * LINE
  scroller.onScroll()
  layOut()
  scroller.onScroll()
  expect(scroller.pin.value).toBe('end')
  expect(element.scrollTop).toBe(300 * LINE - VIEW)
})

it('stays at the end though the browser scrolls, and the layout is again as it was', async () => {
  const { scroller, element, scrollTo, grow } = await scrollerOver(100)
  await scroller.goTo('end')
  // The box was higher for a moment, between two frames: the browser clamped.
  scrollTo(100 * LINE - VIEW - 240)
  expect(scroller.pin.value).toBe('end')
  expect(element.scrollTop).toBe(100 * LINE - VIEW)
  // Turning the wheel down at the end is not reading.
  element.dispatchEvent(new WheelEvent('wheel', { deltaY: 100 }))
  scrollTo(100 * LINE - VIEW - 240)
  await grow(5_000)
  expect(element.scrollTop).toBe(5_000 * LINE - VIEW)
})

it('reaches the end in the end, though the browser reported nothing', async () => {
  const { scroller, element } = await scrollerOver(100)
  await scroller.goTo('end')
  element.scrollTop = 500
  await settle()
  expect(element.scrollTop).toBe(100 * LINE - VIEW)
})

it('lets go where nothing changed that would scroll by itself, as for a search in the page', async () => {
  const { scroller, element, scrollTo } = await scrollerOver(100)
  await scroller.goTo('end')
  await settle()
  scrollTo(300)
  expect(scroller.pin.value).toBeNull()
  expect(element.scrollTop).toBe(300)
})

it('does not take back someone who begins to scroll up slowly', async () => {
  const { scroller, element, grow, wheelTo } = await scrollerOver(100)
  await scroller.goTo('end')
  wheelTo(100 * LINE - VIEW - 8)
  await grow(300)
  expect(scroller.pin.value).toBeNull()
  expect(element.scrollTop).toBe(100 * LINE - VIEW - 8)
})

it('shows the end still when the box becomes lower, and again when it becomes higher', async () => {
  const { scroller, element, layOut } = await scrollerOver(100)
  await scroller.goTo('end')
  layOut(VIEW - 150)
  expect(element.scrollTop).toBe(100 * LINE - VIEW + 150)
  layOut(VIEW + 100)
  scroller.onScroll()
  expect(element.scrollTop).toBe(100 * LINE - VIEW - 100)
  expect(scroller.pin.value).toBe('end')
})

it('lets someone scroll away from a pinned line in a step that is closed', async () => {
  const { scroller, scrollTo, layOut } = await scrollerOver(100)
  await scroller.goTo({ line: 500 })
  layOut(VIEW - 150)
  scrollTo(300)
  expect(scroller.pin.value).toBeNull()
  expect(scroller.y.value).toBe(300)
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
