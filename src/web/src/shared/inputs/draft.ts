import { type Ref, watch } from 'vue'
import { type Draft, dropDraft, loadDraft, saveDraft } from '@/shared/storage/drafts'
import type { Field, Values } from './field'
import { keptValues } from './fields'
import type { InputForm } from './form'

// Input names contain no spaces.
const EMPTY = ' empty'
const REASON = ' reason'

export interface FormDraft {
  isThere: boolean
  values: Values
  /** The names of fields that submit an empty value. */
  empty: string[]
  reason: string | undefined
  has: (mark: string) => boolean
}

/** The draft of this form, from this tab. */
export function loadFormDraft(name: string): FormDraft {
  const draft = loadDraft(name)
  return {
    isThere: Object.keys(draft).length > 0,
    values: Object.fromEntries(Object.entries(draft).filter(([key]) => !key.startsWith(' '))),
    empty: (draft[EMPTY] ?? '').split(',').filter(Boolean),
    reason: draft[REASON],
    has: (mark) => ` ${mark}` in draft,
  }
}

/** Saves a form's draft under the caller's mark until dropped; never secrets or files. */
export function useFormDraft(
  name: string,
  fields: () => readonly Field[],
  form: InputForm,
  reason: Ref<string>,
  mark = '',
) {
  let isDone = false
  watch([form.values, form.empty, reason], () => {
    if (isDone) return
    const draft: Draft = keptValues(fields(), form.values)
    draft[EMPTY] = [...form.empty].filter((one) => one in draft).join(',')
    draft[REASON] = reason.value
    draft[` ${mark}`] = ''
    saveDraft(name, draft)
  })
  return {
    drop() {
      isDone = true
      dropDraft(name)
    },
  }
}
