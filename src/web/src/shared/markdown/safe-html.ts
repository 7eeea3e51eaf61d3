import DOMPurify from 'dompurify'
import { ATTRIBUTES, TAGS } from './html-tags'

/** Of the highlighter; all others are the app's own. */
const CLASS = /^(?:hljs-[\w-]+|language-[\w+#.-]+)$/

const purifier = DOMPurify(window)
purifier.addHook('uponSanitizeAttribute', (_, attribute) => {
  if (attribute.attrName !== 'class') return
  const kept = attribute.attrValue.split(/\s+/).filter((name) => CLASS.test(name))
  attribute.attrValue = kept.join(' ')
  attribute.keepAttr = kept.length > 0
})

/** Put before every id and name, so that none is taken for one of the app's. */
export const PREFIX = 'user-content-'

/**
 * What may be shown of HTML that anyone may have written. The fragment belongs to a document of
 * its own, in which nothing is loaded; pictures must be taken out before it is shown.
 */
export function safeFragment(html: string): DocumentFragment {
  return purifier.sanitize(html, {
    ALLOWED_TAGS: [...TAGS],
    ALLOWED_ATTR: [...ATTRIBUTES],
    ALLOW_ARIA_ATTR: false,
    ALLOW_DATA_ATTR: false,
    SANITIZE_NAMED_PROPS: true,
    RETURN_DOM_FRAGMENT: true,
  })
}
