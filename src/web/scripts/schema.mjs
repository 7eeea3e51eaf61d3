// Writes src/api/schema.d.ts from the server's own OpenAPI document, if it has changed.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import openapiTS, { astToString } from 'openapi-typescript'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const own = here('../../../.venv/bin/python')
const python = process.env.PYTHON ?? (existsSync(own) ? own : 'python3')
const target = here('../src/api/schema.d.ts')

const json = execFileSync(python, [here('openapi.py')], { encoding: 'utf8', maxBuffer: 2 ** 26 })
const head = '// Made by npm run schema from the OpenAPI document of the server. Not in git.\n\n'
const text = head + astToString(await openapiTS(JSON.parse(json), { defaultNonNullable: false }))
if (!existsSync(target) || readFileSync(target, 'utf8') !== text) {
  writeFileSync(target, text)
}
