import { session } from '@/auth/session'

/**
 * Form drafts, stored in this tab so that signing in again loses nothing.
 * Callers leave out secrets, which the user types again.
 */
const PREFIX = 'runbook.draft.'

export type Draft = Record<string, string>

/** Per user: another user who signs in here sees none of it. */
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
    // Storage is full or disabled: the form works without it.
  }
}

export function dropDraft(name: string): void {
  sessionStorage.removeItem(keyOf(name))
}

/** Called on sign-out, so that no other user sees the drafts. */
export function dropAllDrafts(): void {
  for (const key of Object.keys(sessionStorage)) {
    if (key.startsWith(PREFIX)) sessionStorage.removeItem(key)
  }
}
