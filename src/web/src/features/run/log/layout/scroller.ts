import { computed, nextTick, onScopeDispose, ref, type Ref, shallowRef, watch } from 'vue'
import { type Extra, LINE, type Row, type Rows } from './rows'

/** What stays in view when the content changes: the end, a line, a step, or the scroll position. */
export type Pin = 'end' | { line: number } | { step: number } | null

/** Browsers limit element height: above this, one scrolled pixel covers more than one. */
const HIGHEST = 15_000_000
const AROUND = 300
const NEAR = 2 * LINE

interface Elements {
  /** The scrolling box. */
  box: Ref<HTMLElement | null>
  /** The content, as high as all rows together. */
  content: Ref<HTMLElement | null>
}

/** Scrolls over virtual rows, of which only the visible ones are drawn. */
export function useScroller({ box, content }: Elements, rows: Ref<Rows>, extra: Ref<Extra>) {
  const top = ref(0)
  const view = ref(400)
  const width = ref(0)
  const pin = shallowRef<Pin>(null)
  /** The last scroll position that we set, and the heights at that time. */
  let placed = { top: 0, inner: 0, outer: 0 }

  const height = computed(() => Math.min(rows.value.height, HIGHEST))
  const scale = computed(() =>
    rows.value.height <= HIGHEST
      ? 1
      : (rows.value.height - view.value) / Math.max(1, HIGHEST - view.value),
  )
  /** The row position at the top of the box. */
  const y = computed(() => top.value * scale.value)
  const visible = computed(() =>
    rows.value
      .between(y.value - AROUND, y.value + view.value + AROUND)
      .map((row) => ({ ...row, shift: row.y - y.value + top.value })),
  )

  function setTop(y: number) {
    if (!box.value) return
    box.value.scrollTop = Math.round(y / scale.value)
    notePlace(box.value)
  }

  function notePlace({ scrollTop, scrollHeight, clientHeight }: HTMLElement) {
    placed = { top: scrollTop, inner: scrollHeight, outer: clientHeight }
    top.value = scrollTop
  }

  /** The scroll position for the pin; null to stay. */
  function pinnedY(): number | null {
    const target = pin.value
    if (target === null) return null
    if (target === 'end') return rows.value.height
    if ('step' in target) return rows.value.yOfStep(target.step)
    const y = rows.value.yOf(target.line)
    return y === null ? null : Math.max(0, y - view.value / 3)
  }

  function keepPin() {
    const y = pinnedY()
    if (y !== null) setTop(y)
  }

  async function goTo(target: Pin) {
    pin.value = target
    await nextTick()
    keepPin()
  }

  /** Unpins when the user scrolls, but not on our own scrolling or the browser's on height changes. */
  function onScroll() {
    const element = box.value
    if (!element || Math.abs(element.scrollTop - placed.top) < 1.5) return
    const { inner, outer } = placed
    const isSameLayout = element.scrollHeight === inner && element.clientHeight === outer
    if (!isSameLayout && pinnedY() !== null) return keepPin()
    notePlace(element)
    const left = element.scrollHeight - element.scrollTop - element.clientHeight
    pin.value = left < NEAR ? 'end' : null
  }

  /** Measures the drawn rows; the caller restores the row at the top. */
  function measure() {
    const anchor = rows.value.between(y.value, y.value + 1)[0]
    let isOther = false
    for (const element of box.value?.querySelectorAll<HTMLElement>('[data-index]') ?? []) {
      const more = Math.max(0, element.offsetHeight - LINE)
      isOther = extra.value.set(Number(element.dataset.index), more) || isOther
    }
    return isOther ? { anchor, below: anchor ? y.value - anchor.y : 0 } : null
  }

  function keepAnchor(anchor: Row | undefined, below: number) {
    if (pin.value !== null) return keepPin()
    if (!anchor) return
    const y = anchor.line === null ? null : rows.value.yOf(anchor.line)
    if (y !== null) setTop(y + below)
  }

  // Heights change on layout, possibly later than they were set.
  const observer = new ResizeObserver((entries) => {
    const size = entries.find(({ target }) => target === box.value)?.contentRect
    if (size) {
      view.value = size.height
      width.value = size.width
    }
    keepPin()
  })
  for (const observed of [box, content]) {
    watch(
      observed,
      (now, before) => {
        if (before) observer.unobserve(before)
        if (now) observer.observe(now)
      },
      { flush: 'post' },
    )
  }
  watch(() => rows.value.height, keepPin, { flush: 'post' })
  onScopeDispose(() => observer.disconnect())
  const isAtEnd = computed(
    () => top.value + view.value >= height.value - NEAR || pin.value === 'end',
  )
  return { height, isAtEnd, visible, y, width, pin, goTo, onScroll, measure, keepAnchor }
}
