import { onScopeDispose, ref, type Ref, watch } from 'vue'

/** An element's distance from the top of the document in pixels, updated as the content above it changes. */
export function usePageOffset(element: Ref<HTMLElement | null>): Readonly<Ref<number>> {
  const offset = ref(0)
  const observer = new ResizeObserver(() => {
    if (element.value) offset.value = Math.round(element.value.getBoundingClientRect().top + scrollY)
  })
  const main = document.getElementById('main') ?? document.body
  for (const child of main.children) observer.observe(child)
  watch(element, (now) => now && observer.observe(now), { flush: 'post' })
  onScopeDispose(() => observer.disconnect())
  return offset
}
