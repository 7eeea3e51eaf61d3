import { escapedRef, runbookLink } from '@/shared/links'

/** Stands for the directory of the runbooks while an address is resolved. */
const LIBRARY = 'https://runbooks.invalid'
const FOREIGN = ['http:', 'https:', 'mailto:']

/**
 * Where a link of a document leads: a place in it (`#…`), a runbook's page in this app (`/…`), or
 * elsewhere on the web; null for all that should lead nowhere. `home` is the document's ref.
 */
export function targetOf(address: string, home: string): string | null {
  if (address.startsWith('#')) return address.length > 1 ? address : null
  const url = resolved(address, home)
  if (!url) return null
  if (url.origin === LIBRARY) return runbookTarget(url)
  return FOREIGN.includes(url.protocol) ? url.href : null
}

function resolved(address: string, home: string): URL | null {
  try {
    return new URL(address, `${LIBRARY}/${escapedRef(home)}`)
  } catch {
    return null
  }
}

function runbookTarget(url: URL): string | null {
  const names = url.pathname.slice(1).split('/').map(decoded)
  const isRef = names.every((name) => name && name !== '.' && name !== '..' && !name.includes('/'))
  if (!isRef || !names.at(-1)?.endsWith('.md')) return null
  return `${runbookLink(names.join('/'))}${url.hash}`
}

/** Empty where it is not well formed. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
