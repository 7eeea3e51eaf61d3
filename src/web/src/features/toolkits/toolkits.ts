import { mdiDelete, mdiDownload, mdiHistory, mdiPause, mdiPlay, mdiUpdate } from '@mdi/js'
import type { ListedRunbook } from '@/api/runbooks'
import type { Toolkit } from '@/api/toolkits'
import { counted } from '@/shared/text/numbers'

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
  const { version, update, previous_version: previous } = toolkit
  if (version === null) return [{ kind: 'install', text: 'Install', icon: mdiDownload }]
  const actions: Action[] = []
  if (!toolkit.enabled) actions.push({ kind: 'enable', text: 'Enable', icon: mdiPlay })
  if (update !== null) actions.push({ kind: 'upgrade', text: `Upgrade to ${update.version}`, icon: mdiUpdate })
  if (toolkit.enabled) actions.push({ kind: 'disable', text: 'Disable', icon: mdiPause })
  if (previous !== null) {
    actions.push({ kind: 'rollback', text: `Roll back to ${previous}`, icon: mdiHistory })
  }
  actions.push({ kind: 'remove', text: 'Remove', icon: mdiDelete, color: 'error' })
  return actions
}

/** What a toolkit needs, and this server or the user lacks. */
export interface Need {
  kind: 'extra' | 'command' | 'connection'
  name: string
  /** What installs it, if that is known. */
  command?: string
}

const PACKAGE = 'runbook-engine'

export function needsOf(missing: Toolkit['missing']): Need[] {
  return [
    ...missing.extras.map((name): Need => ({ kind: 'extra', name, command: `pip install '${PACKAGE}[${name}]'` })),
    ...missing.commands.map((name): Need => ({ kind: 'command', name })),
    ...missing.connections.map((name): Need => ({ kind: 'connection', name })),
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

const ORIGINS: Record<string, string> = {
  bundled: 'Bundled', catalogue: 'From the catalogue', folder: 'From a folder', upload: 'Uploaded',
}

/** Where a toolkit or an update comes from. */
export function originText({ origin }: Pick<Toolkit, 'origin'>): string {
  return origin === null ? 'Bundled' : (ORIGINS[origin] ?? origin)
}

/** What the last look at the catalogue found. */
export function updatesText(toolkits: readonly Pick<Toolkit, 'update'>[]): string {
  const count = toolkits.filter(({ update }) => update !== null).length
  return count ? `${counted(count, 'update')} available` : 'All toolkits are up to date'
}
