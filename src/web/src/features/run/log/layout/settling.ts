import { onScopeDispose } from 'vue'

/** By then, what the browser did about a change of the layout has been reported. */
const FRAMES = 4

/** Whether the layout changed within the last few frames. Calls back once it is settled. */
export function useSettling(onSettled: () => void) {
  let left = 0
  let frame = 0
  function tick() {
    left -= 1
    frame = left > 0 ? requestAnimationFrame(tick) : 0
    if (left === 0) onSettled()
  }
  onScopeDispose(() => cancelAnimationFrame(frame))
  return {
    stir() {
      left = FRAMES
      frame ||= requestAnimationFrame(tick)
    },
    isSettled: () => left === 0,
  }
}
