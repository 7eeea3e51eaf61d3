import { computed, reactive, ref } from 'vue'

/** The text that a person types to confirm; `wanted` is null until its inputs are known. */
export function useConfirm(isNeeded: () => boolean, wanted: () => string | null) {
  const text = ref('')
  const touched = ref(false)
  const isRight = computed(() => !isNeeded() || text.value.trim() === wanted())
  return reactive({
    text,
    isNeeded: computed(isNeeded),
    wanted: computed(wanted),
    isFaulty: computed(() => touched.value && !isRight.value),
    type: (typed: string) => (text.value = typed),
    /** Nothing is held against it before something was typed. */
    leave: () => (touched.value = text.value !== ''),
    check: () => {
      touched.value = true
      return isRight.value
    },
  })
}

export type Confirm = ReturnType<typeof useConfirm>
