import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import vuetify from 'vite-plugin-vuetify'
import { defineConfig } from 'vitest/config'
import { compressed } from './scripts/compress.mjs'
import { firstLoad } from './scripts/first-load.mjs'

const SERVER = process.env.RUNBOOK_SERVER ?? 'http://127.0.0.1:8083'

/** What shows documents is large, and most pages do without. */
const FOR_DOCUMENTS =
  /markdown-it|highlight\.js|dompurify|linkify|mdurl|entities|uc\.micro|punycode|[\\/]shared[\\/]markdown[\\/]|MarkdownView/
/** What comes before all else is a script of its own. */
const EARLY = /[\\/]src[\\/](early|auth[\\/]kept|shared[\\/]storage[\\/]kept-preferences)\.ts$/
const isForMany = (id: string) => !FOR_DOCUMENTS.test(id)

export default defineConfig({
  plugins: [vue(), vuetify({ autoImport: true }), firstLoad(), compressed()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: '../runbook/api/static',
    emptyOutDir: true,
    target: 'es2022',
    // The page's policy allows no inline scripts, and data: only for images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // A slow line counts requests, not kilobytes: one style sheet, and one script of what most pages share.
    cssCodeSplit: false,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'early', test: EARLY, priority: 1 },
            { name: 'shared', test: isForMany, minShareCount: 3 },
          ],
        },
      },
    },
  },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/auth', '/dev-login', '/docs', '/readyz'].map((path) => [path, SERVER]),
    ),
  },
  test: {
    environment: 'jsdom',
    // One document and one set of modules for all files: starting jsdom takes most of the time.
    isolate: false,
    include: ['src/**/*.test.ts'],
    restoreMocks: true,
    unstubGlobals: true,
    // The components of Vuetify import style sheets, which Node cannot load.
    server: { deps: { inline: ['vuetify'] } },
  },
})
