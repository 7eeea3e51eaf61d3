import { onScopeDispose, type Ref } from 'vue'

/** What a person does to look elsewhere. */
const LOOKING = ['wheel', 'touchmove', 'keydown', 'pointerdown'] as const

/**
 * Brings an element into view, and keeps it there until a person does something. Before its place
 * is known, its size isn't either: then it waits for `keep`.
 */
export function useSight(element: Ref<HTMLElement | null>, isPlaced: () => boolean) {
  let isKept = false
  let isAsked = false
  const keep = () => {
    if (isKept && isPlaced()) element.value?.scrollIntoView({ block: 'nearest' })
  }
  const release = () => (isKept = false)
  for (const name of LOOKING) addEventListener(name, release, { capture: true, passive: true })
  onScopeDispose(() => {
    for (const name of LOOKING) removeEventListener(name, release, { capture: true })
  })
  return {
    /** `asked` if a person wants to see it. */
    show(asked: boolean) {
      isKept = true
      isAsked = asked
      keep()
    },
    keep,
    /** Shows the beginning of the page instead, which says more, unless a person has looked elsewhere. */
    giveWay() {
      if (!isKept || isAsked) return
      isKept = false
      scrollTo({ top: 0 })
    },
  }
}
