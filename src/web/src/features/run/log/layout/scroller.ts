import { computed, nextTick, onScopeDispose, ref, type Ref, shallowRef, watch } from 'vue'
import { useHand } from './hand'
import { type Extra, LINE, type Row, type Rows } from './rows'
import { useSettling } from './settling'

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

/**
 * Scrolls over virtual rows, of which only the visible ones are drawn. The pin decides what is in
 * view. A scroll event removes it only if a person scrolled, or if nothing else can be the reason:
 * browsers scroll on changes of the layout, too, and report it later, maybe after the next change.
 */
export function useScroller({ box, content }: Elements, rows: Ref<Rows>, extra: Ref<Extra>) {
  const top = ref(0)
  const view = ref(400)
  const width = ref(0)
  const pin = shallowRef<Pin>(null)
  /** The last scroll position that we set or accepted. */
  let placed = 0
  const settling = useSettling(() => {
    const element = box.value
    if (element && pin.value !== null && isElsewhere(element)) keepPin()
  })
  const hand = useHand(box, () => {
    if (pin.value === 'end' && box.value && box.value.scrollTop > 0) pin.value = null
  })

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
    settling.stir()
    box.value.scrollTop = Math.round(y / scale.value)
    notePlace(box.value)
  }

  function notePlace({ scrollTop }: HTMLElement) {
    placed = top.value = scrollTop
  }

  const isElsewhere = ({ scrollTop }: HTMLElement) => Math.abs(scrollTop - placed) >= 1.5

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

  function onScroll() {
    const element = box.value
    if (!element || !isElsewhere(element)) return
    if (!isByPerson() && pinnedY() !== null) return keepPin()
    const isUp = element.scrollTop < placed
    notePlace(element)
    const left = element.scrollHeight - element.scrollTop - element.clientHeight
    pin.value = left < NEAR && !isUp ? 'end' : null
  }

  function isByPerson(): boolean {
    // A browser search or a screen reader scrolls without wheel, key or touch events.
    if (settling.isSettled()) return true
    return pin.value === 'end' ? hand.isScrollingUp() : hand.isScrolling()
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
    settling.stir()
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
  watch(() => rows.value.height, settling.stir)
  watch(() => rows.value.height, keepPin, { flush: 'post' })
  addEventListener('resize', settling.stir)
  onScopeDispose(() => {
    observer.disconnect()
    removeEventListener('resize', settling.stir)
  })
  const isAtEnd = computed(
    () => top.value + view.value >= height.value - NEAR || pin.value === 'end',
  )
  return { height, isAtEnd, visible, y, width, pin, goTo, onScroll, measure, keepAnchor, stir: settling.stir }
}
