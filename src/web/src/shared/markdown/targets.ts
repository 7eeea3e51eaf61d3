import { escapedRef, runbookLink } from '@/shared/links'

/** Placeholder for the runbooks directory while resolving a URL. */
const LIBRARY = 'https://runbooks.invalid'
const FOREIGN = ['http:', 'https:', 'mailto:']

/**
 * The target of a link in a document: an anchor (`#…`), a runbook's page in this app (`/…`) or an
 * external URL; null if the link is not allowed. `home` is the document's ref.
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

/** Empty if malformed. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
