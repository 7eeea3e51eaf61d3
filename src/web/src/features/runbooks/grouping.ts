import type { ActiveRun } from '@/api/changes'
import type { ListedRunbook } from '@/api/runbooks'

export type Row =
  | { kind: 'folder'; path: string; count: number; isOpen: boolean }
  | { kind: 'runbook'; runbook: ListedRunbook }

/** `network/edge` of `network/edge/Push.md`; empty at the top. */
export function folderOf(ref: string): string {
  return ref.includes('/') ? ref.slice(0, ref.lastIndexOf('/')) : ''
}

export type Access = 'all' | 'mine'

export interface ListFilter {
  access: Access
  /** All of them are wanted. */
  tags: readonly string[]
  owner: string
}

/** The runbooks that pass the filter; ignores case, as the server does. */
export function filtered(runbooks: readonly ListedRunbook[], filter: ListFilter): ListedRunbook[] {
  const tags = filter.tags.map((tag) => tag.toLowerCase())
  const owner = filter.owner.toLowerCase()
  return runbooks.filter((runbook) => {
    const own = runbook.tags.map((tag) => tag.toLowerCase())
    if (filter.access === 'mine' && !(runbook.executable && runbook.valid)) return false
    if (owner && runbook.owner?.toLowerCase() !== owner) return false
    return tags.every((tag) => own.includes(tag))
  })
}

/** Every tag, and every owner, in order. */
export function labelsOf(runbooks: readonly ListedRunbook[]): { tags: string[]; owners: string[] } {
  const inOrder = (labels: Iterable<string>) => [...new Set(labels)].sort((a, b) => a.localeCompare(b))
  return {
    tags: inOrder(runbooks.flatMap((runbook) => runbook.tags)),
    owners: inOrder(runbooks.flatMap((runbook) => (runbook.owner ? [runbook.owner] : []))),
  }
}

/** Top-level runbooks, then each folder followed by its runbooks unless closed. */
export function rowsOf(runbooks: readonly ListedRunbook[], closed: ReadonlySet<string>): Row[] {
  const groups = new Map<string, ListedRunbook[]>()
  for (const runbook of runbooks) {
    const folder = folderOf(runbook.path)
    groups.set(folder, [...(groups.get(folder) ?? []), runbook])
  }
  const folders = [...groups.keys()].sort((a, b) => a.localeCompare(b))
  return folders.flatMap((path): Row[] => {
    const own = groups.get(path) ?? []
    const isOpen = !closed.has(path)
    const rows = isOpen ? own.map((runbook): Row => ({ kind: 'runbook', runbook })) : []
    return path ? [{ kind: 'folder', path, count: own.length, isOpen }, ...rows] : rows
  })
}

/** Active runs by runbook, in the given order. */
export function activeByRef(runs: readonly ActiveRun[]): Map<string, ActiveRun[]> {
  const groups = new Map<string, ActiveRun[]>()
  for (const run of runs) groups.set(run.runbook, [...(groups.get(run.runbook) ?? []), run])
  return groups
}

export function rowKey(row: Row): string {
  return row.kind === 'folder' ? `folder ${row.path}` : `runbook ${row.runbook.path}`
}
