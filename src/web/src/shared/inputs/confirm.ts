import { computed, reactive, ref } from 'vue'

/** The confirmation that a user types; `wanted` is null until the inputs in it are filled in. */
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
    /** Shows no error until something was typed. */
    leave: () => (touched.value = text.value !== ''),
    check: () => {
      touched.value = true
      return isRight.value
    },
  })
}

export type Confirm = ReturnType<typeof useConfirm>
