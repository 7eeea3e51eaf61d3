import { computed, nextTick, onScopeDispose, ref, type Ref, shallowRef, watch } from 'vue'
import { type Extra, LINE, type Row, type Rows } from './rows'

/** What stays in sight whatever is drawn: the end, a line, a step; or wherever someone scrolled to. */
export type Pin = 'end' | { line: number } | { step: number } | null

/** Browsers draw nothing that is much higher: beyond it, a pixel of scrolling is more than one. */
const HIGHEST = 15_000_000
const AROUND = 300
const NEAR = 2 * LINE

/** Scrolls over rows of which only those in sight are drawn. */
export function useScroller(box: Ref<HTMLElement | null>, rows: Ref<Rows>, extra: Ref<Extra>) {
  const top = ref(0)
  const view = ref(400)
  const width = ref(0)
  const pin = shallowRef<Pin>(null)
  let expected = 0

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
    expected = box.value.scrollTop
    top.value = expected
  }

  function keepPin() {
    const target = pin.value
    if (target === null) return
    if (target === 'end') return setTop(rows.value.height)
    const y = 'line' in target ? rows.value.yOf(target.line) : rows.value.yOfStep(target.step)
    if (y !== null) setTop(Math.max(0, 'line' in target ? y - view.value / 3 : y))
  }

  async function goTo(target: Pin) {
    pin.value = target
    await nextTick()
    keepPin()
  }

  function onScroll() {
    const element = box.value
    if (!element || Math.abs(element.scrollTop - expected) < 1.5) return
    expected = element.scrollTop
    top.value = expected
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

  const observer = new ResizeObserver(([entry]) => {
    if (!entry) return
    view.value = entry.contentRect.height
    width.value = entry.contentRect.width
  })
  watch(
    box,
    (now, before) => {
      if (before) observer.unobserve(before)
      if (now) observer.observe(now)
    },
    { flush: 'post' },
  )
  watch([() => rows.value.height, view], keepPin, { flush: 'post' })
  onScopeDispose(() => observer.disconnect())
  const isAtEnd = computed(
    () => top.value + view.value >= height.value - NEAR || pin.value === 'end',
  )
  return { height, isAtEnd, visible, y, width, pin, goTo, onScroll, measure, keepAnchor }
}
