import './style.css'
import 'vuetify/styles/core'
import { VueQueryPlugin } from '@tanstack/vue-query'
import { createApp } from 'vue'
import App from './App.vue'
import { createQueries } from './api/queries'
import { createWebRouter } from './router'
import { createTheme } from './theme'

const router = createWebRouter()
createApp(App)
  .use(router)
  .use(VueQueryPlugin, { queryClient: createQueries(router) })
  .use(createTheme())
  .mount('#app')
