import type { Schemas } from '@/api/client'

type Page = Pick<Schemas['HistoryPage'], 'entries' | 'adoptions'>
export type Adoption = Schemas['Adoption']

/** A row of the history: a run's entry or an adoption. */
export type HistoryRow =
  | { n: number; entry: Schemas['HistoryHead']; adoption?: undefined }
  | { n: number; adoption: Adoption; entry?: undefined }

/** The entries and adoptions of the pages, newest first. */
export function historyRows(pages: readonly Page[]): HistoryRow[] {
  return pages.flatMap(({ entries, adoptions }) =>
    [
      ...entries.map((entry): HistoryRow => ({ n: entry.n, entry })),
      ...adoptions.map((adoption): HistoryRow => ({ n: adoption.n, adoption })),
    ].sort((a, b) => b.n - a.n),
  )
}

const FINDINGS: Record<string, (n: number) => string> = {
  foreign: (n) => `Foreign text after ${n ? `entry ${n}` : 'the heading'}`,
  changed: (n) => `Entry ${n} was changed or replaced`,
  missing: (n) => `Entry ${n} is missing`,
  order: (n) => `Entry ${n} is out of order`,
  legacy_changed: () => 'The text before the first entry was changed',
  cut: (n) => `Entry ${n}, the last one in the database, is missing`,
}

/** A finding of an adoption in words. */
export function findingText({ code, entry }: Adoption['findings'][number]): string {
  return FINDINGS[code]?.(entry) ?? `${code}, entry ${entry}`
}
