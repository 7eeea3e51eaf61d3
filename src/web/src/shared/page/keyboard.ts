import { onScopeDispose, reactive } from 'vue'

export interface Shortcut {
  /** Keys in order, separated by spaces: `?`, `/`, `g r`. */
  keys: string
  label: string
  run: () => void
}

const SEQUENCE_MS = 1200
const active = reactive<Shortcut[]>([])
let pending = ''
let pendingSince = 0

/** All active shortcuts, for the keyboard sheet. */
export const shortcuts: readonly Shortcut[] = active

/** Registers shortcuts while the component is mounted. */
export function useShortcuts(added: Shortcut[]): void {
  active.push(...added)
  onScopeDispose(() => {
    for (const shortcut of added) {
      const at = active.findIndex((item) => item.keys === shortcut.keys && item.run === shortcut.run)
      if (at >= 0) active.splice(at, 1)
    }
  })
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches('input, textarea, select, [role="textbox"]'))
  )
}

/** Runs the shortcut that this key press completes, if any. */
export function handleKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
  if (isTyping(event.target) || event.key.length > 1) return
  const fresh = event.timeStamp - pendingSince < SEQUENCE_MS
  const typed = pending && fresh ? `${pending} ${event.key}` : event.key
  // The last one registered wins: it is on top.
  const found = active.findLast((item) => item.keys === typed)
  pending = ''
  if (found) {
    event.preventDefault()
    found.run()
  } else if (active.some((item) => item.keys.startsWith(`${event.key} `))) {
    pending = event.key
    pendingSince = event.timeStamp
  }
}

export function useKeyboard(): void {
  document.addEventListener('keydown', handleKey)
  onScopeDispose(() => document.removeEventListener('keydown', handleKey))
}
