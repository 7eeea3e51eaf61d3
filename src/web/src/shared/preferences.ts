import { reactive, watch } from 'vue'

export const THEMES = ['light', 'dark', 'system'] as const
export type Theme = (typeof THEMES)[number]
export const ZONES = ['local', 'utc'] as const
export type Zone = (typeof ZONES)[number]

export interface Preferences {
  theme: Theme
  zone: Zone
}

const KEY = 'runbook.preferences'

function read(): Preferences {
  let kept: Partial<Preferences> = {}
  try {
    kept = (JSON.parse(localStorage.getItem(KEY) ?? '{}') ?? {}) as Partial<Preferences>
  } catch {
    // What cannot be read is as good as nothing.
  }
  return {
    theme: THEMES.find((theme) => theme === kept.theme) ?? 'system',
    zone: ZONES.find((zone) => zone === kept.zone) ?? 'local',
  }
}

/** How this person likes to see things, kept in this browser. */
export const preferences = reactive(read())

watch(preferences, (value) => {
  try {
    localStorage.setItem(KEY, JSON.stringify(value))
  } catch {
    // A browser that keeps nothing still shows everything.
  }
})
