import { onScopeDispose, ref, type Ref } from 'vue'

/** Whether the tab is hidden. */
export function useHidden(): Readonly<Ref<boolean>> {
  const hidden = ref(document.hidden)
  const look = () => (hidden.value = document.hidden)
  document.addEventListener('visibilitychange', look)
  onScopeDispose(() => document.removeEventListener('visibilitychange', look))
  return hidden
}

/**
 * Waits until the tab is visible, then does the work; its signal aborts with `signal` and when
 * the tab is hidden. Returns whether hiding the tab interrupted the work.
 */
export async function whileShown(
  signal: AbortSignal,
  work: (until: AbortSignal) => Promise<void>,
): Promise<boolean> {
  await shown(signal)
  const hiding = new AbortController()
  const look = () => {
    if (document.hidden) hiding.abort()
  }
  document.addEventListener('visibilitychange', look)
  try {
    await work(AbortSignal.any([signal, hiding.signal]))
  } catch (error) {
    if (!hiding.signal.aborted) throw error
  } finally {
    document.removeEventListener('visibilitychange', look)
  }
  return hiding.signal.aborted
}

function shown(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return
      document.removeEventListener('visibilitychange', look)
      signal.removeEventListener('abort', look)
      resolve()
    }
    document.addEventListener('visibilitychange', look)
    signal.addEventListener('abort', look)
    look()
  })
}
