// A Vite plugin: .br and .gz beside every built file that gains by it, for the server to send.
import { promises as fs } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, gzip } from 'node:zlib'

const LEAST_BYTES = 1024
const TEXT = /\.(js|css|svg|json|webmanifest)$/
const encodings = { '.br': promisify(brotliCompress), '.gz': promisify(gzip) }

/** @returns {import('vite').Plugin} */
export function compressed() {
  return {
    name: 'compressed',
    apply: 'build',
    async writeBundle(options, bundle) {
      await Promise.all(Object.keys(bundle).map((name) => compress(join(options.dir, name))))
    },
  }
}

async function compress(path) {
  if (!TEXT.test(path)) return
  const content = await fs.readFile(path)
  if (content.length < LEAST_BYTES) return
  for (const [suffix, encode] of Object.entries(encodings)) {
    const smaller = await encode(content)
    if (smaller.length < content.length) await fs.writeFile(path + suffix, smaller)
  }
}
