import { type Ref, watch } from 'vue'

/**
 * Moves the focus into a menu that opens. It takes the focus only once it has its place: some frames later, or many
 * on a busy machine. Gives up when the menu closes or the user moves the focus elsewhere.
 */
export function useMenuFocus(isOpen: Readonly<Ref<boolean>>, target: () => HTMLElement | null | undefined): void {
  function focus(before: Element | null) {
    if (!isOpen.value) return
    const element = target() ?? null
    const now = document.activeElement
    if (now !== before && !now?.contains(element)) return
    element?.focus()
    if (element && element === document.activeElement) return
    requestAnimationFrame(() => focus(before))
  }
  watch(isOpen, (open) => open && focus(document.activeElement), { flush: 'post' })
}
