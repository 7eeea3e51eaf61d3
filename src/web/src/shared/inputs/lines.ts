import { computed, nextTick, type Ref, ref, type ShallowRef, watch } from 'vue'

type Box = HTMLInputElement | HTMLTextAreaElement

const BREAK = /[\r\n]/
const LAST_BREAK = /(?:\r\n|[\r\n])$/

const NOTES = {
  kept: 'Contains carriage returns (CR). If you edit the value, line feeds (LF) replace them.',
  replaced: 'Line feeds (LF) replaced the carriage returns (CR).',
  cut: 'The line break at the end was removed.',
}

/**
 * Keeps a browser from altering a text silently. An `<input>` drops or joins line breaks, so a value
 * that has one, pasted or prefilled, needs a text area: `hasLines`. A text area has only LF as line
 * break: `note` says what happens to others.
 */
export function useLines(
  value: Ref<string>,
  box: Readonly<ShallowRef<Box | null>>,
  /** Whether a valid value is one line. A line break at the end of what is pasted is then removed. */
  isOneLine: () => boolean = () => false,
) {
  const hasLines = ref(false)
  const change = ref<'replaced' | 'cut' | null>(null)
  const note = computed(() => {
    const kind = value.value.includes('\r') ? 'kept' : change.value
    return kind ? NOTES[kind] : ''
  })

  watch(
    value,
    (now, before) => {
      // A text area does not become a field again: the user may be typing in it.
      if (BREAK.test(now)) hasLines.value = true
      if (!now) change.value = null
      if (before?.includes('\r') && !now.includes('\r') && box.value?.value === now) change.value = 'replaced'
    },
    { immediate: true, flush: 'sync' },
  )

  /** Handles `paste` and `beforeinput`: inserts a text that the browser would alter. */
  function insert(event: Event) {
    const given = event instanceof InputEvent ? event.data : (event as ClipboardEvent).clipboardData?.getData('text/plain')
    const target = box.value
    if (!target || !given || !BREAK.test(given)) return
    if (hasLines.value && !given.includes('\r')) return
    event.preventDefault()
    const isCut = !hasLines.value && isOneLine() && !BREAK.test(given.replace(LAST_BREAK, ''))
    const text = (isCut ? given.replace(LAST_BREAK, '') : given).replaceAll(/\r\n?/g, '\n')
    change.value = isCut ? 'cut' : given.includes('\r') ? 'replaced' : null
    const start = target.selectionStart ?? target.value.length
    const rest = target.value.slice(target.selectionEnd ?? start)
    value.value = target.value.slice(0, start) + text + rest
    void nextTick(() => {
      box.value?.focus()
      box.value?.setSelectionRange(start + text.length, start + text.length)
    })
  }

  return { hasLines, note, insert }
}
