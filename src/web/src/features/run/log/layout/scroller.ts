import { computed, nextTick, onScopeDispose, ref, type Ref, shallowRef, watch } from 'vue'
import { type Extra, LINE, type Row, type Rows } from './rows'

/** What stays in sight whatever is drawn: the end, a line, a step; or wherever someone scrolled to. */
export type Pin = 'end' | { line: number } | { step: number } | null

/** Browsers draw nothing that is much higher: beyond it, a pixel of scrolling is more than one. */
const HIGHEST = 15_000_000
const AROUND = 300
const NEAR = 2 * LINE

interface Elements {
  /** What scrolls. */
  box: Ref<HTMLElement | null>
  /** What is scrolled: as high as all rows together. */
  content: Ref<HTMLElement | null>
}

/** Scrolls over rows of which only those in sight are drawn. */
export function useScroller({ box, content }: Elements, rows: Ref<Rows>, extra: Ref<Extra>) {
  const top = ref(0)
  const view = ref(400)
  const width = ref(0)
  const pin = shallowRef<Pin>(null)
  /** Where the box was put, and how high both were then. */
  let placed = { top: 0, inner: 0, outer: 0 }

  const height = computed(() => Math.min(rows.value.height, HIGHEST))
  const scale = computed(() =>
    rows.value.height <= HIGHEST
      ? 1
      : (rows.value.height - view.value) / Math.max(1, HIGHEST - view.value),
  )
  /** Which height of the rows is at the top. */
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

  /** Where the top is to be for what is pinned; null where it may stay. */
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

  /** A person's scrolling unpins; not our own, nor what the browser does as heights change. */
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

  /** Takes the heights of what is drawn; what stands at the top stays there. */
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

  // Heights change when the browser has laid them out, which may be later than they were set.
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
