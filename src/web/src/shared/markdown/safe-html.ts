import DOMPurify from 'dompurify'
import { ATTRIBUTES, TAGS } from './html-tags'

/** Classes of the highlighter; all others belong to the app. */
const CLASS = /^(?:hljs-[\w-]+|language-[\w+#.-]+)$/

const purifier = DOMPurify(window)
purifier.addHook('uponSanitizeAttribute', (_, attribute) => {
  if (attribute.attrName !== 'class') return
  const kept = attribute.attrValue.split(/\s+/).filter((name) => CLASS.test(name))
  attribute.attrValue = kept.join(' ')
  attribute.keepAttr = kept.length > 0
})

/** Prefix of every id and name, so that none collides with the app's. */
export const PREFIX = 'user-content-'

/**
 * Sanitizes untrusted HTML. The fragment belongs to a separate document in which nothing loads;
 * remove images before showing it.
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
