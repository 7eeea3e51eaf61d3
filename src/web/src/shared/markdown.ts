import DOMPurify from 'dompurify'
import hljs from 'highlight.js/lib/core'
import bash from 'highlight.js/lib/languages/bash'
import json from 'highlight.js/lib/languages/json'
import python from 'highlight.js/lib/languages/python'
import yaml from 'highlight.js/lib/languages/yaml'
import MarkdownIt from 'markdown-it'

hljs.registerLanguage('bash', bash)
hljs.registerLanguage('json', json)
hljs.registerLanguage('python', python)
hljs.registerLanguage('yaml', yaml)
hljs.registerAliases(['sh', 'zsh', 'shell'], { languageName: 'bash' })
hljs.registerAliases(['yml'], { languageName: 'yaml' })

const markdown = new MarkdownIt({
  html: false,
  linkify: false,
  highlight(code, info) {
    const language = info.trim().split(/\s/)[0] ?? ''
    if (!hljs.getLanguage(language)) return ''
    return hljs.highlight(code, { language, ignoreIllegals: true }).value
  },
})

// Pictures of other hosts would be foreign requests, and forms could ask for passwords.
const FORBIDDEN_TAGS = ['img', 'form', 'input', 'button', 'select', 'textarea', 'style']

/** HTML that is safe to show, of Markdown that anyone may have written. */
export function renderMarkdown(text: string): string {
  const tokens = markdown.parse(text, {})
  for (const token of tokens) {
    // The page has its own heading of level 1.
    if (token.type.startsWith('heading_')) token.tag = `h${Math.min(Number(token.tag[1]) + 1, 6)}`
    // A block that can be scrolled must be reachable by keyboard.
    if (token.type === 'fence') token.attrSet('tabindex', '0')
  }
  const html = markdown.renderer.render(tokens, markdown.options, {})
  return DOMPurify.sanitize(html, {
    USE_PROFILES: { html: true },
    FORBID_TAGS: FORBIDDEN_TAGS,
    FORBID_ATTR: ['style', 'id', 'name'],
    ADD_ATTR: ['tabindex'],
  })
}

/** Lines that may be the heading of the History; whether one is, the parser tells. */
const HISTORY = /^ {0,3}(?:#[ \t]+History[ \t]*#*[ \t]*|History[ \t]*(?:\r\n|\r|\n) {0,3}=+[ \t]*)$/gim

/** The text above the History, which may be long: what stands below is not even parsed. */
function withoutHistory(content: string): string {
  for (const match of content.matchAll(HISTORY)) {
    const tokens = markdown.parse(content.slice(0, match.index + match[0].length), {})
    const [open, text] = tokens.slice(-3)
    const isHeading = open?.type === 'heading_open' && open.tag === 'h1' && open.level === 0
    if (isHeading && text?.content.trim().toLowerCase() === 'history') return content.slice(0, match.index)
  }
  return content
}

/** A runbook without its first heading, which the page shows, and without its History. */
export function runbookBody(content: string): string {
  const text = withoutHistory(content)
  const heading = markdown
    .parse(text, {})
    .find((token) => token.type === 'heading_open' && token.tag === 'h1' && token.level === 0)
  const lines = text.split(/\r\n|\r|\n/)
  return lines.slice(heading?.map?.[1] ?? 0).join('\n').trim()
}
