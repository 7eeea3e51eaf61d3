import { reactive, watch } from 'vue'
import { KEY, keptPreferences } from './kept-preferences'

export * from './kept-preferences'

/** The user's display preferences, stored in this browser. */
export const preferences = reactive(keptPreferences())

watch(preferences, (value) => {
  try {
    localStorage.setItem(KEY, JSON.stringify(value))
  } catch {
    // Without storage, the preferences last until the page closes.
  }
})
