import { expect, it } from 'vitest'
import { parseAnsi, PLAIN } from '@/shared/text/ansi'
import { LONGEST, fragmentsOf } from './fragments'

const ESC = '\u001b'

function linksIn(text: string) {
  return fragmentsOf(parseAnsi(text)[0], '').fragments.flatMap((fragment) => (fragment.href ? [[fragment.text, fragment.href]] : []))
}

it('splits spans where a hit begins and ends', () => {
  const red = { ...PLAIN, color: 1 }
  const spans = [
    { text: 'an Err', style: PLAIN },
    { text: 'or here', style: red },
  ]
  expect(fragmentsOf(spans, 'error').fragments.map((fragment) => [fragment.text, fragment.isHit])).toEqual([
    ['an ', false],
    ['Err', true],
    ['or', true],
    [' here', false],
  ])
  expect(fragmentsOf(spans, '').fragments).toHaveLength(2)
})

it('cuts what is too long to be shown', () => {
  const { fragments, more } = fragmentsOf([{ text: 'x'.repeat(LONGEST + 5), style: PLAIN }], '')
  expect([fragments[0]?.text.length, more]).toEqual([LONGEST, 5])
})

it.each([
  ['see https://a.example/x?y=1#z.', 'https://a.example/x?y=1#z'],
  ['(http://a.example/b)', 'http://a.example/b'],
  ['"https://a.example", he said', 'https://a.example'],
  ['<HTTPS://A.example/>', 'HTTPS://A.example/'],
])('links addresses: %s', (text, address) => {
  expect(linksIn(text)).toEqual([[address, address]])
})

it.each(['javascript:alert(1)', 'ftp://a.example/', 'xhttps://a.example', 'https://', 'data:text/html,x'])(
  'does not link %s',
  (text) => {
    expect(linksIn(text)).toEqual([])
  },
)

it('links what a terminal would link, to http and https only', () => {
  const to = (address: string) => `${ESC}]8;id=1;${address}${ESC}\\text${ESC}]8;;${ESC}\\ after`
  expect(linksIn(to('https://a.example/'))).toEqual([['text', 'https://a.example/']])
  expect(linksIn(to('https://a.example/').replaceAll(`${ESC}\\`, '\u0007'))).toEqual([['text', 'https://a.example/']])
  expect(linksIn(to('javascript:alert(1)'))).toEqual([])
  expect(linksIn(to('file:///etc/passwd'))).toEqual([])
})

it('marks a hit within a link, which stays whole', () => {
  const { fragments } = fragmentsOf([{ text: 'https://a.example/b', style: PLAIN }], 'example')
  expect(fragments.map((fragment) => [fragment.text, fragment.isHit, fragment.href])).toEqual([
    ['https://a.', false, 'https://a.example/b'],
    ['example', true, 'https://a.example/b'],
    ['/b', false, 'https://a.example/b'],
  ])
})

it('shows characters that turn the direction of text', () => {
  const { fragments } = fragmentsOf([{ text: 'a\u202eb\u2066\u2069c\u200fd', style: PLAIN }], '')
  expect(fragments.map((fragment) => [fragment.text, fragment.isBidiControl])).toEqual([
    ['a', false],
    ['U+202E', true],
    ['b', false],
    ['U+2066', true],
    ['U+2069', true],
    ['c\u200fd', false],
  ])
})

it('is quick with a line of addresses', () => {
  const text = 'http://a.example/'.repeat(LONGEST)
  expect(fragmentsOf([{ text, style: PLAIN }], 'a').fragments.length).toBeLessThan(LONGEST)
})
