import type { Connection } from '@/api/connections'

type Shown = Pick<Connection, 'name' | 'kind' | 'description' | 'values' | 'claims' | 'labels'>

/** The address of the system, as people write it; empty if the kind has none. */
export function addressOf({ values }: Pick<Connection, 'values'>): string {
  const { url, host, port } = values
  if (typeof url === 'string') return url
  if (typeof host !== 'string') return ''
  if (port === undefined || port === null) return host
  return `${host.includes(':') ? `[${host}]` : host}:${String(port)}`
}

/** `roles: sre or netops; team: core`. Without claims, it is for everyone. */
export function whoText({ claims }: Pick<Connection, 'claims'>): string {
  const texts = Object.entries(claims).map(([name, allowed]) => `${name}: ${allowed.join(' or ')}`)
  return texts.join('; ') || 'Everyone'
}

/** The fingerprints that the message of a test with a new host key names. Null if it names no two. */
export function fingerprintsOf(message: string): { before: string; now: string } | null {
  const [before, now] = message.match(/\bSHA256:[A-Za-z0-9+/]{43}/g) ?? []
  return before && now ? { before, now } : null
}

export function labelTexts({ labels }: Pick<Connection, 'labels'>): string[] {
  return Object.entries(labels).map(([name, value]) => (value ? `${name}: ${value}` : name))
}

/** The connections of the kind that have all the words somewhere in what the list shows. */
export function filtered<T extends Shown>(all: readonly T[], text: string, kind: string): T[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return all.filter((one) => {
    if (kind && one.kind !== kind) return false
    const shown = [one.name, one.kind, one.description, addressOf(one), whoText(one), ...labelTexts(one)]
    const whole = shown.join('\n').toLowerCase()
    return words.every((word) => whole.includes(word))
  })
}
