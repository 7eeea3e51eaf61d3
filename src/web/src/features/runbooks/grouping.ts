import type { ActiveRun } from '@/api/changes'
import type { ListedRunbook } from '@/api/runbooks'
import { wordsOf } from './marking'

export type Row =
  | { kind: 'folder'; path: string; count: number; isOpen: boolean }
  | { kind: 'runbook'; runbook: ListedRunbook }

/** `network/edge` of `network/edge/Push.md`; empty at the top. */
export function folderOf(ref: string): string {
  return ref.includes('/') ? ref.slice(0, ref.lastIndexOf('/')) : ''
}

/**
 * Runbooks that contain every word of the text, ignoring case, and those that the server found by
 * full text.
 */
export function matching(
  runbooks: readonly ListedRunbook[],
  text: string,
  byServer: ReadonlyMap<string, unknown> = new Map(),
): ListedRunbook[] {
  const words = wordsOf(text)
  return runbooks.filter((runbook) => byServer.has(runbook.path) || isNamed(runbook, words))
}

/** Whether the listed name, path or description contain every word. */
export function isNamed(runbook: ListedRunbook, words: readonly string[]): boolean {
  const all = `${runbook.name}\n${runbook.path}\n${runbook.description}`.toLowerCase()
  return words.every((word) => all.includes(word))
}

export type Access = 'all' | 'mine'

/** All runbooks, or only valid ones that the user may execute. */
export function allowed(runbooks: readonly ListedRunbook[], access: Access): ListedRunbook[] {
  if (access === 'all') return [...runbooks]
  return runbooks.filter((runbook) => runbook.executable && runbook.valid)
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
