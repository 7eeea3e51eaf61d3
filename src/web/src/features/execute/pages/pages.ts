import { computed, nextTick, onMounted, reactive } from 'vue'
import type { InputGroup } from '@/api/runbooks'
import type { Field } from '@/shared/inputs/field'
import type { InputForm } from '@/shared/inputs/form'
import { useUrl } from '@/shared/page/url'

export interface FormPage {
  /** In the URL. */
  key: string
  title: string
  fields: Field[]
}

/** A form with more inputs, counting the fields of lists, is long. */
const LONG = 8
const REVIEW = 'review'
const ALL = 'all'

/** The pages of a long form, or none if it is short. */
export function pagesOf(fields: readonly Field[], groups: readonly InputGroup[]): FormPage[] {
  const count = fields.reduce((sum, field) => sum + 1 + field.columns.length, 0)
  if (count <= LONG) return []
  const pages = groups
    .map((group, at) => ({
      key: String(at + 1),
      title: group.name ?? 'General',
      fields: fields.filter((field) => group.inputs.includes(field.name)),
    }))
    .filter((page) => page.fields.length)
  return pages.length > 1 ? pages : []
}

/**
 * The page of a long form that the URL names. `heading` gets the focus when the page changes. A form that nobody
 * has begun has nothing to review: it opens at its first page.
 */
export function useFormPages(
  all: () => FormPage[],
  form: InputForm,
  isBegun: boolean,
  heading: () => HTMLElement | null,
) {
  const { route, change } = useUrl()
  const named = computed(() => String(route.query.page ?? ''))
  const isLong = computed(() => all().length > 0)
  const isPaged = computed(() => isLong.value && named.value !== ALL)
  /** Without those whose inputs are all hidden. */
  const pages = computed(() => {
    const shown = form.shown()
    return all().filter((page) => page.fields.some((field) => shown.includes(field)))
  })
  const isReview = computed(() => isPaged.value && named.value === REVIEW)
  const current = computed(() => {
    if (!isPaged.value || isReview.value) return null
    return pages.value.find((page) => page.key === named.value) ?? pages.value[0] ?? null
  })
  const at = computed(() => (current.value ? pages.value.indexOf(current.value) : pages.value.length))
  const keyAt = (place: number) => pages.value[place]?.key ?? REVIEW

  /** Leaving a page shows its errors, and the review shows all. */
  async function go(key: string) {
    if (key !== ALL) form.check(key === REVIEW ? undefined : (current.value?.fields ?? []))
    await change({ query: { page: key === pages.value[0]?.key ? undefined : key } })
    await nextTick()
    heading()?.focus({ preventScroll: true })
    heading()?.scrollIntoView({ block: 'nearest' })
  }

  /** Goes to the first page with an error; stays if there is none. */
  async function goToFault() {
    const faulty = isReview.value && pages.value.find((page) => form.faultCount(page.fields))
    if (faulty) await go(faulty.key)
  }

  onMounted(() => {
    if (!isReview.value) return
    if (isBegun) form.check()
    else void change({ query: { page: undefined } })
  })

  return reactive({
    isLong, isPaged, isReview, pages, current, at,
    go, goToFault,
    next: () => go(keyAt(at.value + 1)),
    back: () => go(keyAt(at.value - 1)),
    review: () => go(REVIEW),
    together: () => go(ALL),
    apart: () => go(keyAt(0)),
  })
}

export type FormPages = ReturnType<typeof useFormPages>
