import { keptLocally } from './local'

export const THEMES = ['light', 'dark', 'system'] as const
export type Theme = (typeof THEMES)[number]
export const ZONES = ['local', 'utc'] as const
export type Zone = (typeof ZONES)[number]

export interface Preferences {
  theme: Theme
  zone: Zone
}

export const KEY = 'runbook.preferences'

/** The preferences stored in this browser. */
export function keptPreferences(): Preferences {
  const kept = keptLocally(KEY)
  return {
    theme: THEMES.find((theme) => theme === kept.theme) ?? 'system',
    zone: ZONES.find((zone) => zone === kept.zone) ?? 'local',
  }
}
