import { type Ref, watch } from 'vue'

const MOST_FRAMES = 20

/** Moves the focus into a menu that opens. It takes the focus only once it has its place, some frames later. */
export function useMenuFocus(isOpen: Readonly<Ref<boolean>>, target: () => HTMLElement | null | undefined): void {
  function focus(framesLeft: number) {
    const element = target()
    element?.focus()
    if (!isOpen.value || framesLeft === 0 || (element && element === document.activeElement)) return
    requestAnimationFrame(() => focus(framesLeft - 1))
  }
  watch(isOpen, (open) => open && focus(MOST_FRAMES), { flush: 'post' })
}
