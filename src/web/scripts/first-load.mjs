// A Vite plugin for a first load with few and early requests.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// Parts of a page that it loads by itself as soon as it is there.
const SOON = { 'features/runbook/RunbookPage.vue': ['features/runbook/RunbookText.vue'] }
const INDEX = fileURLToPath(new URL('../index.html', import.meta.url))
const EARLY = fileURLToPath(new URL('../src/early.ts', import.meta.url))
const ROUTE = /path: '\/([\w-]+)[^']*',(?:(?!path:)[^])*?import\('@\/([^']+)'\)/g

/**
 * Lets the page's first picture, which stands in index.html, wait for no style sheet; asks for the
 * page's data first of all, by src/early.ts; and writes
 * pages.json, from which the server names the scripts of the requested page in its HTML.
 * @returns {import('vite').Plugin}
 */
export function firstLoad() {
  return {
    name: 'first-load',
    apply: 'build',
    config: () => ({
      build: { rolldownOptions: { input: { index: INDEX, early: EARLY } } },
    }),
    generateBundle(_options, bundle) {
      this.emitFile({ type: 'asset', fileName: 'pages.json', source: JSON.stringify(pages(bundle)) })
    },
    transformIndexHtml: { order: 'post', handler: arranged },
  }
}

/** The first name in a path, such as `runbook`, and the scripts that the page there needs. */
function pages(bundle) {
  const chunks = Object.values(bundle).filter((file) => file.type === 'chunk')
  const entry = chunks.find((chunk) => chunk.isEntry && chunk.name === 'index')
  const known = new Set(withImports(bundle, entry.fileName))
  return Object.fromEntries(
    routes().map(([name, component]) => {
      const modules = [component, ...(SOON[component] ?? [])]
      const own = modules.map((module) => chunks.find((chunk) => chunk.facadeModuleId?.endsWith(`/src/${module}`)))
      const files = own.flatMap((chunk) => withImports(bundle, chunk.fileName))
      return [name, [...new Set(files)].filter((file) => !known.has(file))]
    }),
  )
}

function routes() {
  const source = readFileSync(new URL('../src/router.ts', import.meta.url), 'utf8')
  return [...source.matchAll(ROUTE)].map(([, name, component]) => [name, component])
}

function withImports(bundle, name, found = new Set()) {
  if (found.has(name)) return [...found]
  found.add(name)
  for (const imported of bundle[name]?.imports ?? []) withImports(bundle, imported, found)
  return [...found]
}

function arranged(html, { bundle }) {
  const early = Object.values(bundle).find((file) => file.type === 'chunk' && file.name === 'early')
  const script = `<script type="module" async crossorigin src="/${early.fileName}"></script>`
  return stylesLast(html).replace('<title>', `${script}\n    <title>`)
}

function stylesLast(html) {
  const styles = html.match(/ *<link rel="stylesheet"[^>]*>\n?/g) ?? []
  const rest = styles.reduce((text, style) => text.replace(style, ''), html)
  return rest.replace('</body>', `${styles.join('')}  </body>`)
}
