import { onScopeDispose, ref, type Ref, watch } from 'vue'

/** The width of an element in pixels; 0 until it is known. */
export function useWidth(element: Readonly<Ref<HTMLElement | null>>): Readonly<Ref<number>> {
  const width = ref(0)
  const sizes = new ResizeObserver(() => (width.value = element.value?.clientWidth ?? 0))
  watch(
    element,
    (now) => {
      sizes.disconnect()
      width.value = now?.clientWidth ?? 0
      if (now) sizes.observe(now)
    },
    { flush: 'post', immediate: true },
  )
  onScopeDispose(() => sizes.disconnect())
  return width
}
