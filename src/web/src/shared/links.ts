/**
 * URLs of pages, as strings: a named route would escape the slashes in a ref.
 */
function path(page: string, name: string): string {
  return `/${page}/${escapedRef(name)}`
}

/** A ref as it appears in URLs. */
export function escapedRef(ref: string): string {
  return ref.split('/').map(encodeURIComponent).join('/')
}

export function runbookLink(ref: string): string {
  return path('runbook', ref)
}

/** The execute form; `query` prefills it. */
export function executeLink(ref: string, query: Record<string, string> = {}): string {
  const said = new URLSearchParams(query).toString()
  return path('execute', ref) + (said && `?${said}`)
}

/** The page of a run; with a line, its log at that line. */
export function runLink(id: string, line?: number): string {
  return path('run', id) + (line === undefined ? '' : `#L${line}`)
}

export function connectionLink(name: string): string {
  return path('connection', name)
}

export function deviceLink(name: string): string {
  return path('device', name)
}

/** The stored configurations of a device: what a version changed, or who changed the lines. */
export function configurationLink(name: string, query: Record<string, string> = {}): string {
  const said = new URLSearchParams(query).toString()
  return `${path('device', name)}/configuration${said && `?${said}`}`
}

export function compareLink(a: string, b: string): string {
  return `/compare/${encodeURIComponent(a)}/${encodeURIComponent(b)}`
}
