import { onScopeDispose, ref, type Ref, watch } from 'vue'

/** How far below the top of the document an element begins, in pixels; it moves as what is above grows. */
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
