import { reactive, watch } from 'vue'
import { KEY, keptPreferences } from './kept-preferences'
import { keepLocally } from './local'

export * from './kept-preferences'

/** The user's display preferences, stored in this browser. */
export const preferences = reactive(keptPreferences())

watch(preferences, (value) => keepLocally(KEY, value))
