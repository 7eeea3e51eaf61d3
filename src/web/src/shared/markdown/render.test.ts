import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { BIDI_CONTROLS, codePointName } from '@/shared/text/bidi'
import { ATTRIBUTES, knownHtml, TAGS } from './html-tags'
import { renderMarkdown, runbookBody } from './render'
import { finish } from './dom'
import { anchorIn } from './anchors'
import { safeFragment } from './safe-html'

function shown(text: string, home = 'net/Push.md'): HTMLElement {
  const box = document.createElement('div')
  box.append(renderMarkdown(text, home))
  return box
}
const html = (text: string) => shown(text).innerHTML

describe('renderMarkdown', () => {
  it('puts headings below that of the page', () => {
    const text = '## First\n\n# One\n\n## Two\n\n<h1>Raw</h1>\n\n###### Six\n\n##### Five\n\n### Three'
    const tags = [...shown(text).children].map((one) => one.tagName)
    expect(tags).toEqual(['H2', 'H2', 'H3', 'H2', 'H3', 'H4', 'H4'])
  })
  it('marks the words of scripts', () => {
    expect(html('```sh\nif true; then echo "x"; fi\n```')).toContain('class="hljs-keyword"')
    expect(html('```strange\n<b>\n```')).toContain('&lt;b&gt;')
  })
  it('shows the HTML that is shown in a repository', () => {
    const text = '<details open><summary>More</summary>\n\n**bold**\n\n</details>\n\n' +
      '<dl><dt>a</dt><dd>b</dd></dl>\n\nH<sub>2</sub>O<br>x<sup>2</sup> <kbd>q</kbd> <ins>i</ins><del>d</del> ~~gone~~'
    const box = shown(text)
    for (const part of ['details[open] > summary', 'details strong', 'dl > dd', 'sub', 'br', 'sup', 'kbd', 'ins', 'del', 's']) {
      expect(box.querySelector(part), part).not.toBeNull()
    }
    expect(html('one <!-- nobody sees this --> two')).toBe('<p>one  two</p>\n')
  })
  it('aligns cells without styles, and lets a table scroll in its box', () => {
    const box = shown('| a | b |\n|---|--:|\n| 1 | 2 |')
    expect(box.querySelector('td:last-child')?.outerHTML).toBe('<td align="right">2</td>')
    expect(box.querySelector<HTMLElement>('.table-box > table')?.parentElement?.tabIndex).toBe(0)
  })
  it('shows tasks', () => {
    const box = shown('- [ ] drain\n- [x] back up\n\n1. [ ] loose\n\n2. none [ ]')
    const marks = [...box.querySelectorAll('.task')].map((one) => one.getAttribute('aria-label'))
    expect(marks).toEqual(['To do:', 'Done:', 'To do:'])
    expect(box.querySelector('li')?.textContent).toBe('☐ drain')
    expect(box.querySelector('input')).toBeNull()
  })
  it('shows alerts', () => {
    const box = shown('> [!WARNING]\n> It **reboots**.\n\n> [!NOTE]\n>\n> - one\n\n> [!NO] quote\n\n> [!TIP] quote')
    const alerts = [...box.querySelectorAll('.alert')].map((one) => one.textContent?.replace(/\s+/g, ' ').trim())
    expect(alerts).toEqual(['Warning It reboots.', 'Note one'])
    expect(box.querySelectorAll('blockquote')).toHaveLength(2)
  })
  it('makes links of addresses, not of names of files', () => {
    const links = [...shown('see https://example.org/a and Other.md or a@b.org //x.org').querySelectorAll('a')]
    expect(links.map((link) => link.href)).toEqual(['https://example.org/a'])
  })
  it('keeps the classes of the highlighter only', () => {
    expect(html('<p class="v-overlay hljs-string alert">x</p>')).toContain('<p class="hljs-string">x</p>')
    expect(html('<p class="page-header">x</p>')).toContain('<p>x</p>')
  })
})

describe('links', () => {
  const link = (address: string) => shown(`[text](${address})`).querySelector('a')
  it.each([
    ['#script', '#script'],
    ['Other.md', '/runbook/net/Other.md'],
    ['../Top.md#x', '/runbook/Top.md#x'],
    ['./deep/A%20b.md', '/runbook/net/deep/A%20b.md'],
    ['../../../../etc/Passwd.md', '/runbook/etc/Passwd.md'],
    ['/net/Other.md', '/runbook/net/Other.md'],
  ])('%s stays in the app', (address, target) => {
    expect(link(address)?.getAttribute('href')).toBe(target)
    expect(link(address)?.hasAttribute('target')).toBe(false)
  })
  it.each([
    ['https://example.org/x', 'https://example.org/x'],
    ['//example.org/x', 'https://example.org/x'],
    ['mailto:ops@example.org', 'mailto:ops@example.org'],
  ])('%s opens apart', (address, target) => {
    expect(link(address)?.getAttribute('href')).toBe(target)
    expect(link(address)?.target).toBe('_blank')
    expect(link(address)?.rel).toBe('noopener noreferrer')
  })
  it.each([
    'javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'java&#10;script:alert(1)', 'data:text/html,x', 'vbscript:x',
    'blob:https://x', 'file:///etc/passwd', 'ftp://x/y', 'tel:1', 'picture.png', 'notes.txt', '/api/runs', '../',
    '..%2f..%2fx.md', '%2e%2e/%2e%2e%2fx.md', '#', 'https://', 'x.md/',
  ])('%s leads nowhere', (address) => {
    const raw = shown(`<a href="${address}">text</a>`).querySelector('a')
    expect([link(address), raw].map((one) => one?.hasAttribute('href') ?? false)).toEqual([false, false])
  })
  it('whose address leads nowhere show their words alone', () => {
    for (const text of ['[this](javascript:alert(1))', '[this](data:text/html,x)', '[this][1]\n\n[1]: vbscript:x']) {
      expect(shown(`See ${text}`).textContent?.trim()).toBe('See this')
    }
  })
  it('finds headings and marked places as a repository does', () => {
    const box = shown('# Set up, then go!\n\n## Same\n\n## Same\n\n## Größe\n\n<details>\n\n<a name="inside"></a>\n\n</details>\n\n<h2 id="own">x</h2>')
    const texts = ['#set-up-then-go', '#same', '#same-1', '#größe', '#gr%C3%B6%C3%9Fe', '#own'].map((one) => anchorIn(box, one)?.textContent)
    expect(texts).toEqual(['Set up, then go!', 'Same', 'Same', 'Größe', 'Größe', 'x'])
    expect(box.querySelector('details')?.open).toBe(false)
    expect(anchorIn(box, '#inside')?.tagName).toBe('A')
    expect(box.querySelector('details')?.open).toBe(true)
    for (const none of ['', '#', '#none', '#%zz', '#user-content-same']) expect(anchorIn(box, none)).toBeNull()
  })
})

describe('pictures', () => {
  it.each([
    ['![A plan](https://example.org/plan.png)', '<a href="https://example.org/plan.png" target="_blank" rel="noopener noreferrer">A plan</a>'],
    ['![](https://example.org/a/plan.png?x)', '<a href="https://example.org/a/plan.png?x" target="_blank" rel="noopener noreferrer">plan.png</a>'],
    ['![A plan](plan.png)', '<a>A plan</a>'],
    ['<picture><source srcset="https://x/y"><img src="https://x/z" alt="p"></picture>', '<a href="https://x/z" target="_blank" rel="noopener noreferrer">p</a>'],
    ['[![Build](https://x/b.svg)](https://ci.example.org/)', '<a href="https://ci.example.org/" target="_blank" rel="noopener noreferrer"><span>Build</span></a>'],
    ['![x](data:image/png;base64,AA)', '<a>x</a>'],
  ])('%s is a link to it', (text, expected) => {
    expect(html(text)).toContain(expected)
    expect(shown(text).querySelector('img, source, picture')).toBeNull()
  })
})

describe('characters that turn the direction of code', () => {
  it.each([
    ['```sh\nif [ "$a" \u202e = "\u2066x" ]\n```', 2],
    ['```\nplain \u202d block\n```', 1],
    ['    indented \u202a block', 1],
    ['in a `line\u2069` of text', 1],
    ['<pre><code>raw \u202b</code></pre>', 1],
    ['text \u202e alone, a `mark\u200f` of direction', 0],
  ])('%j shows them, and keeps what is copied', (text, count) => {
    const box = shown(text)
    const marks = [...box.querySelectorAll<HTMLElement>('.code-turn')]
    expect(marks.map((mark) => mark.dataset.turn)).toEqual(marks.map((mark) => codePointName(mark.textContent)))
    expect(marks).toHaveLength(count)
    const turns = (source: string) => source.match(BIDI_CONTROLS) ?? []
    expect(turns(box.textContent)).toEqual(turns(text))
  })
})

/** Parsers that disagree, namespaces, names, everything that loads or runs; tests/e2e uses it too. */
const ATTACKS = JSON.parse(readFileSync('../../tests/data/hostile_html.json', 'utf-8')) as string[]
const HARMLESS_TAGS = new Set(
  ('a b blockquote br code del details div h2 h3 li ol p pre s span strong sub sup summary table tbody td th thead tr u ul')
    .split(' '),
)
const HARMLESS: Record<string, RegExp> = {
  align: /^(left|right|center)$/,
  'aria-label': /^(Done:|To do:|Table)$/,
  class: /^(hljs-|language-|task|table-box|alert)/,
  href: /^(https?:|mailto:|#|\/runbook\/)/,
  id: /^user-content-/,
  name: /^user-content-/,
  open: /^$/,
  rel: /^noopener noreferrer$/,
  role: /^(img|group)$/,
  tabindex: /^0$/,
  target: /^_blank$/,
  title: /^/,
}

function faultsOf(root: HTMLElement): string[] {
  return [...root.querySelectorAll('*')].flatMap((element) => [
    ...(HARMLESS_TAGS.has(element.localName) && !element.shadowRoot ? [] : [element.outerHTML]),
    ...[...element.attributes]
      .filter(({ name, value }) => !HARMLESS[name]?.test(value))
      .map(({ name, value }) => `${name}="${value}"`),
  ])
}

describe('HTML that means harm', () => {
  it.each(ATTACKS)('%j does none', (attack) => {
    for (const text of [attack, `> - ${attack}`, `# <b>${attack}\n\n| ${attack} |\n|---|`]) {
      const box = shown(text)
      expect(faultsOf(box)).toEqual([])
      // What a browser reads again must be what was cleaned.
      const again = document.createElement('div')
      again.innerHTML = box.innerHTML
      expect(faultsOf(again)).toEqual([])
    }
  })
  it.each(ATTACKS)('%j does none by itself where only one of both cleans it', (attack) => {
    const fragment = safeFragment(attack)
    finish(fragment, 'A.md')
    const box = document.createElement('div')
    box.append(fragment)
    expect(faultsOf(box)).toEqual([])

    box.innerHTML = knownHtml(attack)
    const unknown = [...box.querySelectorAll('*')].flatMap((element) => [
      ...(TAGS.has(element.localName) ? [] : [element.localName]),
      ...element.getAttributeNames().filter((name) => !ATTRIBUTES.has(name)),
    ])
    expect(unknown).toEqual([])
  })
  it('is found by this test', () => {
    const box = document.createElement('div')
    box.innerHTML = '<p onclick="x"><a href="javascript:x" id="main"><svg></svg></a></p>'
    expect(faultsOf(box)).toEqual(['onclick="x"', 'href="javascript:x"', 'id="main"', '<svg></svg>'])
  })
})

describe('runbookBody', () => {
  it('leaves out the title and the history', () => {
    const content = '# Name\n\nWhat it does.\n\n# Script\n\n```sh\n# History\n```\n\n# History\n\n### x\n'
    expect(runbookBody(content)).toBe('What it does.\n\n# Script\n\n```sh\n# History\n```')
  })
  it('knows the other way to write the heading, and takes text for text', () => {
    expect(runbookBody('# Name\n\n> # History\n\nHistory\n===\n\n# History\n')).toBe('> # History')
    expect(runbookBody('# Name\r\rone\r\r# history #\r\rx')).toBe('one')
  })
  it('shows front matter as code', () => {
    const yaml = 'tags: [a]\n# no heading\nowner: sre\n'
    expect(runbookBody(`---\n${yaml}---\n\n# Name\n\none\n\n# History\n`)).toBe(`~~~~~~yaml\n${yaml}~~~~~~\n\n\n\none`)
    expect(runbookBody('---\n\n# Name\n\none\n\n---\n')).toBe('---\n\n\n\none\n\n---')
  })
  it('takes a runbook without either as it is', () => {
    expect(runbookBody('text')).toBe('text')
  })
  it('takes headings within HTML for what they are there', () => {
    const inside = '<!--\n# History\n-->\n\n<details>\n# History\n</details>\n\n<pre>\n\n# History\n\n</pre>'
    expect(runbookBody(`# Name\n\n${inside}\n\n# History\n\nx`)).toBe(inside)
    expect(runbookBody('# Name\n\n<details>\n\n# History\n\nx')).toBe('<details>')
    expect(runbookBody('<!--\n# No\n-->\n# Name\n\none')).toBe('<!--\n# No\n-->\n\n\none')
  })
  it('keeps what stands above the title', () => {
    expect(runbookBody('<p align="center">logo</p>\n\nabove\n# Name\nbelow')).toBe(
      '<p align="center">logo</p>\n\nabove\n\nbelow',
    )
  })
})
