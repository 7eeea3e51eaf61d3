import { mdiDelete, mdiDownload, mdiHistory, mdiPause, mdiPlay, mdiUpdate } from '@mdi/js'
import type { ListedRunbook } from '@/api/runbooks'
import type { Toolkit } from '@/api/toolkits'

export type ActionKind = 'install' | 'enable' | 'disable' | 'upgrade' | 'rollback' | 'remove'

/** What can be done with a toolkit. */
export interface Action {
  kind: ActionKind
  text: string
  icon: string
  color?: string
}

/** The actions on a toolkit, the most likely first. */
export function actionsOn(toolkit: Toolkit): Action[] {
  const { version, bundled_version: bundled, previous_version: previous } = toolkit
  if (version === null) return [{ kind: 'install', text: 'Install', icon: mdiDownload }]
  const actions: Action[] = []
  if (!toolkit.enabled) actions.push({ kind: 'enable', text: 'Enable', icon: mdiPlay })
  if (bundled !== null && isNewer(bundled, version)) {
    actions.push({ kind: 'upgrade', text: `Upgrade to ${bundled}`, icon: mdiUpdate })
  }
  if (toolkit.enabled) actions.push({ kind: 'disable', text: 'Disable', icon: mdiPause })
  if (previous !== null) {
    actions.push({ kind: 'rollback', text: `Roll back to ${previous}`, icon: mdiHistory })
  }
  actions.push({ kind: 'remove', text: 'Remove', icon: mdiDelete, color: 'error' })
  return actions
}

/** Whether a version is newer than another: by its numbers, and a final one after those before it. */
export function isNewer(version: string, than: string): boolean {
  const [a, b] = [parts(version), parts(than)]
  for (let at = 0; at < Math.max(a.numbers.length, b.numbers.length); at += 1) {
    const difference = (a.numbers[at] ?? 0) - (b.numbers[at] ?? 0)
    if (difference) return difference > 0
  }
  return a.isFinal && !b.isFinal
}

function parts(version: string) {
  const release = /^\d+(\.\d+)*/.exec(version)?.[0] ?? ''
  const rest = version.slice(release.length)
  return { numbers: release.split('.').map(Number), isFinal: !/^[.-]?(a|b|c|rc|alpha|beta|dev|pre)/i.test(rest) }
}

/** What a toolkit needs and this server lacks. */
export interface Need {
  kind: 'extra' | 'command'
  name: string
  /** What installs it, if that is known. */
  command?: string
}

const PACKAGE = 'runbook-engine'

export function needsOf(missing: Toolkit['missing']): Need[] {
  return [
    ...missing.extras.map((name): Need => ({ kind: 'extra', name, command: `pip install '${PACKAGE}[${name}]'` })),
    ...missing.commands.map((name): Need => ({ kind: 'command', name })),
  ]
}

/** A README without the heading that only repeats the toolkit's name. */
export function readmeBody(text: string, name: string): string {
  return text.replace(/^\s*# (.+)\n/, (whole, title: string) => (title.trim() === name ? '' : whole))
}

/** The runbooks below the toolkit's slug, by path. */
export function runbooksOf(slug: string, all: readonly ListedRunbook[]): ListedRunbook[] {
  return all.filter(({ path }) => path.startsWith(`${slug}/`)).toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

const ORIGINS: Record<string, string> = { bundled: 'Bundled', folder: 'From a folder', upload: 'Uploaded' }

export function originText(toolkit: Toolkit): string {
  return toolkit.origin === null ? 'Bundled' : (ORIGINS[toolkit.origin] ?? toolkit.origin)
}
