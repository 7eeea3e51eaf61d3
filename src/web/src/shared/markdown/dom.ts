import { piecesOf, BIDI_CONTROL_TITLE } from '@/shared/text/bidi'
import { targetOf } from './targets'
import { PREFIX } from './safe-html'

/** Post-processes clean HTML like GitHub, but removes everything that loads a resource. */
export function finish(root: DocumentFragment, home: string) {
  lowerHeadings(root)
  nameHeadings(root)
  replacePictures(root)
  settleLinks(root, home)
  markTasks(root)
  markAlerts(root)
  showTurns(root)
  makeReachable(root)
}

function make(near: Node, tag: string, className: string, text = ''): HTMLElement {
  const element = (near.ownerDocument as Document).createElement(tag)
  if (className) element.className = className
  element.textContent = text
  return element
}

/** The page has its own level 1 heading. Skips no level, as screen reader users expect. */
function lowerHeadings(root: DocumentFragment) {
  let level = 1
  for (const heading of root.querySelectorAll('h1, h2, h3, h4, h5, h6')) {
    level = Math.min(Number(heading.tagName[1]) + 1, level + 1, 6)
    const lower = make(heading, `h${level}`, '')
    for (const { name, value } of heading.attributes) lower.setAttribute(name, value)
    lower.append(...heading.childNodes)
    heading.replaceWith(lower)
  }
}

/** Ids like GitHub's: `Set up, then go` is `#set-up-then-go`, the next one `…-1`. */
function nameHeadings(root: DocumentFragment) {
  const taken = new Set([...root.querySelectorAll('[id]')].map((element) => element.id))
  for (const heading of root.querySelectorAll('h2, h3, h4, h5, h6')) {
    if (heading.id) continue
    const slug = slugOf(heading.textContent)
    if (!slug) continue
    let id = PREFIX + slug
    for (let n = 1; taken.has(id); n += 1) id = `${PREFIX}${slug}-${n}`
    taken.add(id)
    heading.id = id
  }
}

function slugOf(text: string): string {
  const letters = text.trim().toLowerCase().replace(/[^\p{L}\p{N}\p{M}\p{Pc}\s-]/gu, '')
  return letters.replace(/\s/gu, '-')
}

/** An image would be a request, perhaps to another host: show a link to it instead. */
function replacePictures(root: DocumentFragment) {
  for (const picture of root.querySelectorAll('img')) {
    const address = picture.getAttribute('src') ?? ''
    const text = picture.alt.trim() || address.replace(/[?#].*$/s, '').split('/').at(-1) || 'picture'
    const link = make(picture, picture.closest('a') ? 'span' : 'a', '', text)
    if (link.tagName === 'A') link.setAttribute('href', address)
    picture.replaceWith(link)
  }
}

function settleLinks(root: DocumentFragment, home: string) {
  for (const link of root.querySelectorAll('[href]')) {
    const target = link.tagName === 'A' ? targetOf(link.getAttribute('href') ?? '', home) : null
    if (target === null) {
      link.removeAttribute('href')
      continue
    }
    link.setAttribute('href', target)
    if (/^[#/]/.test(target)) continue
    link.setAttribute('target', '_blank')
    link.setAttribute('rel', 'noopener noreferrer')
  }
}

const TASK = /^\s*\[([ xX])\]\s+/

function markTasks(root: DocumentFragment) {
  for (const item of root.querySelectorAll('li')) {
    const text = firstText(item)
    const mark = text && TASK.exec(text.data)
    if (!mark) continue
    const isDone = mark[1] !== ' '
    const box = make(item, 'span', 'task', isDone ? '☑' : '☐')
    box.setAttribute('role', 'img')
    box.setAttribute('aria-label', isDone ? 'Done:' : 'To do:')
    text.data = ` ${text.data.slice(mark[0].length)}`
    text.before(box)
    item.classList.add('task-item')
  }
}

const ALERT = /^\s*\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\][ \t]*(?:\n|$)/i

function markAlerts(root: DocumentFragment) {
  for (const quote of root.querySelectorAll('blockquote')) {
    const text = quote.parentNode === root ? firstText(quote) : null
    const kind = text && ALERT.exec(text.data)
    if (!kind) continue
    text.data = text.data.slice(kind[0].length)
    const name = (kind[1] as string).toLowerCase()
    const alert = make(quote, 'div', `alert ${name}`)
    alert.append(make(quote, 'p', 'alert-title', name[0]?.toUpperCase() + name.slice(1)))
    alert.append(...quote.childNodes)
    quote.replaceWith(alert)
  }
}

/** The first text node of an item or a quotation, directly or in its first paragraph. */
function firstText(element: Element): Text | null {
  const first = [...element.childNodes].find((node) => node.textContent?.trim())
  if (first?.nodeType === Node.TEXT_NODE) return first as Text
  return first instanceof Element && first.tagName === 'P' ? firstText(first) : null
}

/** Makes direction controls in code visible and ineffective, so that code looks like what runs. */
function showTurns(root: DocumentFragment) {
  for (const code of root.querySelectorAll('code, pre, kbd, samp, tt')) {
    for (const text of textsIn(code)) {
      const pieces = piecesOf(text.data)
      if (!pieces.some((piece) => piece.control)) continue
      text.replaceWith(...pieces.map((piece) => (piece.control ? markOf(text, piece.text, piece.control) : piece.text)))
    }
  }
}

/** Skips elements that are marked already: they can be nested. */
function textsIn(element: Element): Text[] {
  const walker = (element.ownerDocument as Document).createTreeWalker(element, NodeFilter.SHOW_TEXT)
  const texts: Text[] = []
  while (walker.nextNode()) texts.push(walker.currentNode as Text)
  return texts.filter((text) => !text.parentElement?.classList.contains('code-turn'))
}

function markOf(near: Node, character: string, name: string): HTMLElement {
  const mark = make(near, 'span', 'code-turn', character)
  mark.dataset.turn = name
  mark.title = BIDI_CONTROL_TITLE
  return mark
}

/** Puts wide content into a scrolling box that is reachable by keyboard. */
function makeReachable(root: DocumentFragment) {
  for (const block of root.querySelectorAll('pre')) block.tabIndex = 0
  for (const table of root.querySelectorAll('table')) {
    if (table.parentElement?.closest('table')) continue
    const box = make(table, 'div', 'table-box')
    box.tabIndex = 0
    box.setAttribute('role', 'group')
    box.setAttribute('aria-label', 'Table')
    table.replaceWith(box)
    box.append(table)
  }
}
