import './style.css'
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

/** What index.html shows stays until there is a page. Where that cannot be loaded, the app says so. */
async function show() {
  const came = await router.isReady().then(() => true, () => false)
  app.mount('#app')
  if (!came) await router.replace(location.pathname + location.search + location.hash)
}
void show()
