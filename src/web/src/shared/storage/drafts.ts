import { session } from '@/auth/session'

/**
 * What someone has typed, kept in this tab, so that signing in again loses none of it.
 * Callers leave secrets out: they are typed again.
 */
const PREFIX = 'runbook.draft.'

export type Draft = Record<string, string>

/** Another person who signs in here finds none of it. */
function keyOf(name: string): string {
  return `${PREFIX}${session.current?.subject ?? ''}.${name}`
}

export function loadDraft(name: string): Draft {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(keyOf(name)) ?? '{}')
    if (typeof kept !== 'object' || kept === null) return {}
    return Object.fromEntries(
      Object.entries(kept).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    )
  } catch {
    return {}
  }
}

export function saveDraft(name: string, draft: Draft): void {
  if (session.current === null) return
  try {
    sessionStorage.setItem(keyOf(name), JSON.stringify(draft))
  } catch {
    // Full or forbidden: the form works without.
  }
}

export function dropDraft(name: string): void {
  sessionStorage.removeItem(keyOf(name))
}

/** Where a person signs out, what they typed is no one else's. */
export function dropAllDrafts(): void {
  for (const key of Object.keys(sessionStorage)) {
    if (key.startsWith(PREFIX)) sessionStorage.removeItem(key)
  }
}
