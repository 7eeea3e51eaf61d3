import { reactive, watch } from 'vue'
import { keepLocally, keptLocally } from '@/shared/storage/local'

export const TIMES = ['none', 'elapsed', 'clock'] as const
export type Times = (typeof TIMES)[number]

const KEY = 'runbook.log'

interface Options {
  times: Times
  wrap: boolean
  /** Whether screen readers hear of new output. */
  announce: boolean
}

/** The user's log options, stored in this browser. */
export const options = reactive(read())

function read(): Options {
  const kept = keptLocally(KEY)
  const isSet = (value: unknown) => (typeof value === 'boolean' ? value : true)
  return {
    times: TIMES.find((times) => times === kept.times) ?? 'elapsed',
    wrap: isSet(kept.wrap),
    announce: isSet(kept.announce),
  }
}

export function nextTimes(): Times {
  return TIMES[(TIMES.indexOf(options.times) + 1) % TIMES.length] ?? 'none'
}

watch(options, (value) => keepLocally(KEY, value))
