import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = 'src'
const MOST_FILES = 25
const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g

const files = readdirSync(ROOT, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))
const sources = new Set(files.filter((file) => /\.(ts|vue)$/.test(file)))

function importsOf(file: string): string[] {
  return [...readFileSync(file, 'utf-8').matchAll(IMPORT)].flatMap(([, name = '']) => {
    const path = name.startsWith('@/') ? join(ROOT, name.slice(2)) : normalize(join(dirname(file), name))
    return ['', '.ts', '.vue'].map((end) => path + end).filter((found) => sources.has(found))
  })
}

/** The first way that leads back to where it began, from any file; empty where there is none. */
function circleIn(graph: ReadonlyMap<string, string[]>): string[] {
  const done = new Set<string>()
  function visit(file: string, way: string[]): string[] {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file]
    if (done.has(file)) return []
    for (const next of graph.get(file) ?? []) {
      const found = visit(next, [...way, file])
      if (found.length) return found
    }
    done.add(file)
    return []
  }
  for (const file of graph.keys()) {
    const found = visit(file, [])
    if (found.length) return found
  }
  return []
}

it('imports nothing in a circle', () => {
  const graph = new Map([...sources].map((file) => [file, importsOf(file)]))
  expect([...graph.values()].flat().length).toBeGreaterThan(sources.size)
  expect(circleIn(graph)).toEqual([])
})

it('finds a circle', () => {
  expect(circleIn(new Map([['a', ['b', 'c']], ['b', []], ['c', ['d']], ['d', ['c']]]))).toEqual(['c', 'd', 'c'])
})

it('has no crowded folder', () => {
  const folders = files.map((file) => dirname(file))
  const crowded = folders.filter((folder) => folders.filter((other) => other === folder).length > MOST_FILES)
  expect(crowded).toEqual([])
})
