import { reactive, watch } from 'vue'
import { KEY, keptPreferences } from './kept-preferences'

export * from './kept-preferences'

/** How this person likes to see things, kept in this browser. */
export const preferences = reactive(keptPreferences())

watch(preferences, (value) => {
  try {
    localStorage.setItem(KEY, JSON.stringify(value))
  } catch {
    // A browser that keeps nothing still shows everything.
  }
})
