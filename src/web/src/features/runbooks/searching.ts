import type { ListedRunbook } from '@/api/runbooks'
import { escaped } from '@/shared/text/pattern'
import { fuzzyRanges } from './fuzzy'
import { wordsOf } from './marking'

/** Where a search matches, best first. Scripts, and all other text, are searched by the server. */
export const PLACES = ['name', 'path', 'description', 'script'] as const
export type Place = (typeof PLACES)[number]

export interface Hit {
  runbook: ListedRunbook
  place: Place
}

interface Rank {
  place: number
  /** The lower, the better, among hits in the same place. */
  distance: number
}

const SCRIPT = PLACES.indexOf('script')
const INSIDE = 3
const FUZZY = 4

/**
 * The runbooks that contain every word of the text, or that the server found by full text, best
 * first: those with all words in the name, then in the path, the description and the script.
 */
export function searched(
  runbooks: readonly ListedRunbook[],
  text: string,
  byServer: ReadonlyMap<string, unknown> = new Map(),
): Hit[] {
  const words = wordsOf(text)
  const ranked = runbooks.flatMap((runbook) => {
    const found = rankOf(runbook, words)
    const rank = found ?? (byServer.has(runbook.path) ? { place: SCRIPT, distance: 0 } : null)
    return rank ? [{ runbook, rank }] : []
  })
  // The sort is stable: equal hits stay in the order of the list.
  ranked.sort((a, b) => a.rank.place - b.rank.place || a.rank.distance - b.rank.distance)
  return ranked.map(({ runbook, rank }) => ({ runbook, place: PLACES[rank.place] ?? 'script' }))
}

/** The worst place among the words decides; null if a word matches nowhere. */
function rankOf(runbook: ListedRunbook, words: readonly string[]): Rank | null {
  const whole: Rank = { place: 0, distance: 0 }
  for (const word of words) {
    const rank = rankOfWord(runbook, word)
    if (!rank) return null
    whole.place = Math.max(whole.place, rank.place)
    whole.distance += rank.distance
  }
  return whole
}

function rankOfWord(runbook: ListedRunbook, word: string): Rank | null {
  const name = runbook.name || runbook.path
  const file = runbook.path.replace(/\.md$/i, '')
  const distances = [
    distance(name, word) ?? fuzzyDistance(name, word),
    // A search for `x.md` finds the file, too.
    distance(runbook.path, word) ?? fuzzyDistance(file, word),
    distance(runbook.description, word),
  ]
  const place = distances.findIndex((one) => one !== null)
  return place < 0 ? null : { place, distance: distances[place] ?? 0 }
}

/** 0 for the same text, 1 at its start, 2 at the start of a word, 3 inside one. */
function distance(text: string, word: string): number | null {
  const lower = text.toLowerCase()
  const at = lower.indexOf(word)
  if (at < 0) return null
  if (at === 0) return lower.length === word.length ? 0 : 1
  const isWordStart = new RegExp(`[^\\p{L}\\p{N}]${escaped(word)}`, 'u').test(lower)
  return isWordStart ? 2 : INSIDE
}

function fuzzyDistance(text: string, word: string): number | null {
  const ranges = fuzzyRanges(text, word)
  return ranges && FUZZY + ranges.length / 10
}
