import { onScopeDispose, ref, type Ref, watch } from 'vue'
import { fitting } from '@/shared/text/shorten'

const canvas = document.createElement('canvas').getContext('2d')

/** The text, cut at the end of a word to fit into one line of an element. */
export function useFitting(element: Readonly<Ref<HTMLElement | null>>, text: () => string): Readonly<Ref<string>> {
  const fits = ref(text())
  function fit() {
    if (!element.value || !canvas) return
    canvas.font = getComputedStyle(element.value).font
    fits.value = fitting(text(), element.value.clientWidth, (part) => canvas.measureText(part).width)
  }
  const sizes = new ResizeObserver(fit)
  watch(
    element,
    (now) => {
      sizes.disconnect()
      if (now) sizes.observe(now)
    },
    { flush: 'post', immediate: true },
  )
  watch(text, fit)
  onScopeDispose(() => sizes.disconnect())
  return fits
}
