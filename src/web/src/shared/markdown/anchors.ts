import { decoded } from './targets'
import { PREFIX } from './safe-html'

/** The target of `#place` in a document, made visible and focusable. */
export function anchorIn(root: HTMLElement, hash: string): HTMLElement | null {
  const name = PREFIX + decoded(hash.slice(1))
  if (name === PREFIX) return null
  const found = [...root.querySelectorAll<HTMLElement>('[id], a[name]')].find(
    (element) => element.id === name || element.getAttribute('name') === name,
  )
  if (!found) return null
  for (let at = found.parentElement; at && at !== root; at = at.parentElement) {
    if (at instanceof HTMLDetailsElement) at.open = true
  }
  if (!found.hasAttribute('tabindex')) found.tabIndex = -1
  return found
}
