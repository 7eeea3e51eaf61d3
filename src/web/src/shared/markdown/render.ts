import hljs from 'highlight.js/lib/core'
import bash from 'highlight.js/lib/languages/bash'
import json from 'highlight.js/lib/languages/json'
import python from 'highlight.js/lib/languages/python'
import yaml from 'highlight.js/lib/languages/yaml'
import MarkdownIt, { type Token } from 'markdown-it'
import { knownHtml } from './html-tags'
import { finish } from './dom'
import { safeFragment } from './safe-html'

hljs.registerLanguage('bash', bash)
hljs.registerLanguage('json', json)
hljs.registerLanguage('python', python)
hljs.registerLanguage('yaml', yaml)
hljs.registerAliases(['sh', 'zsh', 'shell'], { languageName: 'bash' })
hljs.registerAliases(['yml'], { languageName: 'yaml' })

const markdown = new MarkdownIt({
  // As in a repository; safeFragment removes anything unsafe.
  html: true,
  linkify: true,
  highlight(code, info) {
    const language = info.trim().split(/\s/)[0] ?? ''
    if (!hljs.getLanguage(language)) return ''
    return hljs.highlight(code, { language, ignoreIllegals: true }).value
  },
})

// As on GitHub, an invalid link leaves its text: settleLinks removes the link.
markdown.validateLink = () => true

for (const kind of ['html_block', 'html_inline']) {
  markdown.renderer.rules[kind] = (tokens, index) => knownHtml(tokens[index]?.content ?? '')
}
// Bare names are no links: `Other.md` is a file, although `.md` is a top-level domain.
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false }).add('ftp:', null).add('//', null)

/**
 * Renders untrusted Markdown to safe DOM nodes. Relative links are resolved against `home`, a
 * runbook's ref.
 */
export function renderMarkdown(text: string, home: string): DocumentFragment {
  const tokens = markdown.parse(text, {})
  tokens.forEach(alignCell)
  const fragment = safeFragment(markdown.renderer.render(tokens, markdown.options, {}))
  finish(fragment, home)
  return fragment
}

/** The content security policy forbids style attributes. */
function alignCell(token: Token) {
  const side = /^text-align:(left|right|center)$/.exec(String(token.attrGet('style') ?? ''))?.[1]
  if (side) token.attrs = [['align', side]]
}

/** Lines that may be the History heading; the parser decides. */
const HISTORY = /^ {0,3}(?:#[ \t]+History[ \t]*#*[ \t]*|History[ \t]*(?:\r\n|\r|\n) {0,3}=+[ \t]*)$/gim

/** The text above the History. The History may be long and is not parsed. */
export function withoutHistory(content: string): string {
  for (const match of content.matchAll(HISTORY)) {
    const tokens = markdown.parse(content.slice(0, match.index + match[0].length), {})
    const [open, text] = tokens.slice(-3)
    const isHeading = open?.type === 'heading_open' && open.tag === 'h1' && open.level === 0
    if (isHeading && text?.content.trim().toLowerCase() === 'history') return content.slice(0, match.index)
  }
  return content
}

const FRONT_MATTER = /^\uFEFF?---[ \t]*(?:\r\n|\r|\n)([\w"'#][^]*?(?:\r\n|\r|\n))(?:---|\.\.\.)[ \t]*(?:\r\n|\r|\n|$)/

/** Front matter is YAML, not a heading. */
function withFrontMatterAsCode(content: string): string {
  return content.replace(FRONT_MATTER, (_, yaml: string) => `~~~~~~yaml\n${yaml}~~~~~~\n`)
}

/** A runbook without its History and its first heading, which the page header shows. */
export function runbookBody(content: string): string {
  const text = withFrontMatterAsCode(withoutHistory(content))
  const heading = markdown
    .parse(text, {})
    .find((token) => token.type === 'heading_open' && token.tag === 'h1' && token.level === 0)
  const lines = text.split(/\r\n|\r|\n/)
  const [start, end] = heading?.map ?? [0, 0]
  // A paragraph before the heading must not continue after it.
  return [...lines.slice(0, start), '', ...lines.slice(end)].join('\n').trim()
}
