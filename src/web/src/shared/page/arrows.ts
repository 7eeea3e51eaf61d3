const STEPS: Record<string, number> = { ArrowDown: 1, ArrowUp: -1 }

/**
 * Moves the focus between the elements of a list with the up and down arrow keys. Above the first
 * element, `before` gets the focus.
 */
export function moveByArrows(
  event: KeyboardEvent,
  list: HTMLElement | null | undefined,
  selector: string,
  before: () => void = () => undefined,
): void {
  const step = STEPS[event.key]
  if (!step || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return
  const targets = [...(list?.querySelectorAll<HTMLElement>(selector) ?? [])]
  const at = targets.indexOf(document.activeElement as HTMLElement)
  // Keys in other elements of the list, such as its buttons, keep their meaning.
  if (at < 0 && list?.contains(document.activeElement)) return
  if (at < 0 && step < 0) return
  event.preventDefault()
  const next = targets[at + step]
  if (at + step < 0) before()
  else next?.focus()
}
