// Takes the registry's address out of package-lock.json; versions and hashes stay.
// npm then asks the registry that it is configured for, and the hashes say whether what came
// is what was locked.
import { readFileSync, writeFileSync } from 'node:fs'

const path = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(path, 'utf8'))
for (const entry of Object.values(lock.packages)) {
  if (!entry.link) delete entry.resolved
  delete entry.funding // addresses too, of no use to an installation
}
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
