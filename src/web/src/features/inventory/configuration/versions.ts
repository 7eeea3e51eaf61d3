import type { Backup, BlamedLine } from '@/api/inventory'

/** The commit as people write it. */
export function shortVersion(version: string): string {
  return version.slice(0, 10)
}

/** `mikrotik/Push.md` as `Push`. */
export function runbookName(ref: string | null): string {
  return (ref ?? '').replace(/^.*\//, '').replace(/\.md$/, '')
}

/** Who or what changed the configuration. */
export function whatText({ origin, runbook, step }: Pick<Backup, 'origin' | 'runbook' | 'step'>): string {
  if (origin === 'seen') return 'Changed outside'
  if (origin !== 'run') return 'First backup'
  return [runbookName(runbook) || 'A run', step && `step ${step}`].filter(Boolean).join(', ')
}

/** The version in a list of choices: `2026-01-31 08:00:00 Push, step Apply (0123456789)`. */
export function choiceText(one: Backup, time: (at: string) => string): string {
  return `${time(one.at)} ${whatText(one)} (${shortVersion(one.version)})`
}

/** Consecutive lines that the same change brought. */
export interface Block {
  change: BlamedLine
  lines: BlamedLine[]
}

export function blocksOf(lines: readonly BlamedLine[]): Block[] {
  const blocks: Block[] = []
  for (const line of lines) {
    const last = blocks.at(-1)
    const isNext = last?.change.version === line.version && last.lines.at(-1)?.line === line.line - 1
    if (last && isNext) last.lines.push(line)
    else blocks.push({ change: line, lines: [line] })
  }
  return blocks
}

/** The lines that have the text, or were changed by what has it. */
export function filteredLines(lines: readonly BlamedLine[], text: string): BlamedLine[] {
  const wanted = text.trim().toLowerCase()
  if (!wanted) return [...lines]
  return lines.filter((one) => [one.text, whatText(one), one.by ?? ''].some((each) => each.toLowerCase().includes(wanted)))
}
