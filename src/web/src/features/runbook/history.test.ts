import { expect, it } from 'vitest'
import { type Adoption, findingText, historyRows } from './history'

type Pages = Parameters<typeof historyRows>[0]

it('shows adoptions between the entries, newest first', () => {
  const pages = [
    { entries: [{ n: 6 }, { n: 4 }], adoptions: [{ n: 5 }] },
    { entries: [{ n: 2 }], adoptions: [{ n: 3 }, { n: 1 }] },
  ] as unknown as Pages
  const rows = historyRows(pages).map(({ n, adoption }) => (adoption ? `${n} adopted` : `${n}`))
  expect(rows).toEqual(['6', '5 adopted', '4', '3 adopted', '2', '1 adopted'])
})

it.each(['foreign', 'changed', 'missing', 'order', 'cut', 'of_tomorrow'])('names the entry of a finding: %s', (code) => {
  expect(findingText({ code, entry: 12, sha256: '' } as Adoption['findings'][number])).toContain('entry 12'.slice(1))
})
