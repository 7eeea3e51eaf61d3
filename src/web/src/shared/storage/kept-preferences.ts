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
  let kept: Partial<Preferences> = {}
  try {
    kept = (JSON.parse(localStorage.getItem(KEY) ?? '{}') ?? {}) as Partial<Preferences>
  } catch {
    // Ignore unreadable preferences.
  }
  return {
    theme: THEMES.find((theme) => theme === kept.theme) ?? 'system',
    zone: ZONES.find((zone) => zone === kept.zone) ?? 'local',
  }
}
