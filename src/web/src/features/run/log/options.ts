import { reactive, watch } from 'vue'

export const TIMES = ['none', 'elapsed', 'clock'] as const
export type Times = (typeof TIMES)[number]

const KEY = 'runbook.log'
const NARROW = 700

/** The user's log options, stored in this browser. */
export const options = reactive(read())

function read(): { times: Times; wrap: boolean } {
  let kept: { times?: unknown; wrap?: unknown } = {}
  try {
    kept = (JSON.parse(localStorage.getItem(KEY) ?? '{}') ?? {}) as typeof kept
  } catch {
    // Ignore unreadable options.
  }
  return {
    times: TIMES.find((times) => times === kept.times) ?? (innerWidth < NARROW ? 'none' : 'elapsed'),
    wrap: typeof kept.wrap === 'boolean' ? kept.wrap : true,
  }
}

watch(options, (value) => {
  try {
    localStorage.setItem(KEY, JSON.stringify(value))
  } catch {
    // Without storage, the options last until the page closes.
  }
})
