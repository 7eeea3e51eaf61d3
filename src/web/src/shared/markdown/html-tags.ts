/** The HTML that GitHub allows in a document: nothing active, and `img` is never shown. */
export const TAGS: ReadonlySet<string> = new Set([
  'a', 'abbr', 'b', 'bdo', 'blockquote', 'br', 'caption', 'cite', 'code', 'dd', 'del', 'details',
  'dfn', 'div', 'dl', 'dt', 'em', 'figcaption', 'figure', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr',
  'i', 'img', 'ins', 'kbd', 'li', 'mark', 'ol', 'p', 'pre', 'q', 'rp', 'rt', 'ruby', 's', 'samp',
  'small', 'span', 'strike', 'strong', 'sub', 'summary', 'sup', 'table', 'tbody', 'td', 'tfoot',
  'th', 'thead', 'time', 'tr', 'tt', 'u', 'ul', 'var', 'wbr',
])
export const ATTRIBUTES: ReadonlySet<string> = new Set([
  'align', 'alt', 'class', 'colspan', 'datetime', 'dir', 'href', 'id', 'lang', 'name', 'open',
  'reversed', 'rowspan', 'scope', 'src', 'start', 'title', 'valign', 'value',
])

/** Elements whose content is not text for readers. */
const HIDDEN =
  'audio|head|iframe|math|noembed|noframes|noscript|object|plaintext|script|select|style|svg|template|textarea|title|video|xmp'
const NAME = '[a-z_:][\\w.:-]*'
const VALUE = '"[^"]*"|\'[^\']*\'|[^\\s"\'=<>`]+'
const PIECE = new RegExp(
  [
    '<!--(?:-?>|[^]*?(?:-->|$))',
    '<[!?][^>]*>?',
    `<(?<hidden>${HIDDEN})(?=[\\s/>])[^]*?(?:</\\k<hidden>\\s*>|$)`,
    `<(/?)([a-z][a-z0-9-]*)((?:\\s+${NAME}(?:\\s*=\\s*(?:${VALUE}))?)*)\\s*/?>`,
    '<',
  ].join('|'),
  'gi',
)
const ATTRIBUTE = new RegExp(`(${NAME})(?:\\s*=\\s*(${VALUE}))?`, 'gi')

/**
 * The HTML of a document with known tags and attributes only. It is sanitized again after
 * parsing, but browsers report policy violations such as `onclick` while parsing.
 */
export function knownHtml(html: string): string {
  return html.replace(PIECE, (piece: string, _hidden, slash: string, tag?: string, rest = '') => {
    if (piece === '<') return '&lt;'
    const name = tag?.toLowerCase() ?? ''
    if (!TAGS.has(name)) return ''
    return slash ? `</${name}>` : `<${name}${knownAttributes(String(rest))}>`
  })
}

function knownAttributes(text: string): string {
  return [...text.matchAll(ATTRIBUTE)]
    .map(([, name = '', value = '']) => ({ name: name.toLowerCase(), value: unquoted(value) }))
    .filter(({ name }) => ATTRIBUTES.has(name))
    .map(({ name, value }) => ` ${name}="${value.replace(/"/g, '&quot;').replace(/</g, '&lt;')}"`)
    .join('')
}

function unquoted(value: string): string {
  return /^["']/.test(value) ? value.slice(1, -1) : value
}
