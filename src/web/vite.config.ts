import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import vuetify from 'vite-plugin-vuetify'
import { defineConfig } from 'vitest/config'
import { compressed } from './scripts/compress.mjs'

const SERVER = process.env.RUNBOOK_SERVER ?? 'http://127.0.0.1:8083'

export default defineConfig({
  plugins: [vue(), vuetify({ autoImport: true }), compressed()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: '../runbook/api/static',
    emptyOutDir: true,
    target: 'es2022',
    // The page's policy allows no inline scripts, and data: only for images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/auth', '/dev-login', '/docs', '/readyz'].map((path) => [path, SERVER]),
    ),
  },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.ts'],
    restoreMocks: true,
    unstubGlobals: true,
    // The components of Vuetify import style sheets, which Node cannot load.
    server: { deps: { inline: ['vuetify'] } },
  },
})
