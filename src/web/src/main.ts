import './style.css'
import './controls.css'
import 'vuetify/styles/core'
import { VueQueryPlugin } from '@tanstack/vue-query'
import { createApp } from 'vue'
import App from './App.vue'
import { createQueries } from './api/queries'
import { createWebRouter } from './router'
import { createTheme } from './theme'

const router = createWebRouter()
const app = createApp(App)
  .use(router)
  .use(VueQueryPlugin, { queryClient: createQueries(router) })
  .use(createTheme())

/** The placeholder in index.html stays until a page is ready; the app reports a page that fails to load. */
async function show() {
  const came = await router.isReady().then(() => true, () => false)
  app.mount('#app')
  if (!came) await router.replace(location.pathname + location.search + location.hash)
}
void show()
