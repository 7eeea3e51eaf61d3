import { onScopeDispose, ref, type Ref, watch } from 'vue'

/** What opens above the log: menus and dialogs. */
const ABOVE = '.v-overlay-container'
const ROOT_CLASS = 'is-covered'

/** Lets an element cover the page. Esc leaves; meanwhile nothing else can have the focus. */
export function useMaximising(element: Ref<HTMLElement | null>) {
  const isOn = ref(false)
  let release: (() => void) | undefined

  watch(
    isOn,
    (on) => {
      release?.()
      release = on && element.value ? cover(element.value) : undefined
    },
    { flush: 'post' },
  )
  function onKey(event: KeyboardEvent) {
    if (event.key !== 'Escape' || !isOn.value || event.defaultPrevented) return
    if (document.querySelector('.v-overlay--active')) return
    isOn.value = false
  }
  document.addEventListener('keydown', onKey)
  onScopeDispose(() => {
    document.removeEventListener('keydown', onKey)
    release?.()
  })
  return isOn
}

/** Makes everything around an element inert; returns how to undo it. */
function cover(element: HTMLElement): () => void {
  const made: HTMLElement[] = []
  for (let node = element; node !== document.body && node.parentElement; node = node.parentElement) {
    for (const other of node.parentElement.children) {
      if (other === node || !(other instanceof HTMLElement) || other.inert || other.matches(ABOVE)) continue
      other.inert = true
      made.push(other)
    }
  }
  document.documentElement.classList.add(ROOT_CLASS)
  return () => {
    for (const other of made) other.inert = false
    document.documentElement.classList.remove(ROOT_CLASS)
  }
}
