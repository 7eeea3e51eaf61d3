import { nextTick, watch } from 'vue'

/** Returns focus to the element that had it before a dialog opened, or to the page's content. */
export function useFocusReturn(isOpen: () => boolean): void {
  let before: Element | null = null
  watch(isOpen, async (open) => {
    if (open) {
      before = document.activeElement
      return
    }
    await nextTick()
    const target = canTake(before) ? before : document.getElementById('main')
    target?.focus({ preventScroll: true })
    before = null
  })
}

function canTake(element: Element | null): element is HTMLElement {
  return (
    element instanceof HTMLElement &&
    element !== document.body &&
    element.isConnected &&
    !element.matches(':disabled')
  )
}
