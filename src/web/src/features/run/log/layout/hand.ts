import { onScopeDispose, type Ref, watch } from 'vue'

/** How long scrolling may follow what a person did. */
const LASTS_MS = 1_000
/** Fingers tremble. */
const LEAST_MOVE = 8

const UP: readonly string[] = ['ArrowUp', 'PageUp', 'Home']
const DOWN: readonly string[] = ['ArrowDown', 'PageDown', 'End']

/**
 * What a person does to scroll a box: a browser scrolls it for other reasons, too, and its scroll
 * events look the same. `onUp` is called before the box moves.
 */
export function useHand(box: Ref<HTMLElement | null>, onUp: () => void) {
  let upUntil = 0
  let anyUntil = 0
  let touchY = 0
  let isDown = false

  function scrolls(up: boolean) {
    anyUntil = performance.now() + LASTS_MS
    if (!up) return
    upUntil = anyUntil
    onUp()
  }
  const onWheel = (event: WheelEvent) => {
    if (!event.ctrlKey && event.deltaY !== 0) scrolls(event.deltaY < 0)
  }
  const onKey = (event: KeyboardEvent) => {
    const isSpace = event.key === ' '
    if (UP.includes(event.key) || (isSpace && event.shiftKey)) scrolls(true)
    else if (DOWN.includes(event.key) || isSpace) scrolls(false)
  }
  const onTouchStart = (event: TouchEvent) => (touchY = event.touches[0]?.clientY ?? 0)
  const onTouchMove = (event: TouchEvent) => {
    const moved = (event.touches[0]?.clientY ?? 0) - touchY
    if (Math.abs(moved) >= LEAST_MOVE) scrolls(moved > 0)
  }
  // A drag of the scrollbar or of a selection; the button may be released anywhere.
  const onPress = () => (isDown = true)
  const onRelease = () => {
    if (isDown) anyUntil = upUntil = performance.now() + LASTS_MS
    isDown = false
  }
  const onMove = (event: PointerEvent) => event.buttons === 0 && onRelease()
  // The focus scrolls into view.
  const onFocus = () => (anyUntil = upUntil = performance.now() + LASTS_MS)

  const listeners: [string, (event: never) => void][] = [
    ['wheel', onWheel], ['keydown', onKey], ['touchstart', onTouchStart], ['touchmove', onTouchMove],
    ['pointerdown', onPress], ['focusin', onFocus],
  ]
  watch(
    box,
    (now, before) => {
      for (const [name, listener] of listeners) {
        before?.removeEventListener(name, listener as EventListener)
        now?.addEventListener(name, listener as EventListener, { passive: true })
      }
    },
    { flush: 'post', immediate: true },
  )
  addEventListener('pointerup', onRelease)
  addEventListener('pointercancel', onRelease)
  addEventListener('pointermove', onMove)
  onScopeDispose(() => {
    removeEventListener('pointerup', onRelease)
    removeEventListener('pointercancel', onRelease)
    removeEventListener('pointermove', onMove)
  })
  return {
    isScrolling: () => isDown || performance.now() < anyUntil,
    isScrollingUp: () => isDown || performance.now() < upUntil,
  }
}
