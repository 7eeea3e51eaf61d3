import { counted } from '@/shared/text/numbers'

/** In a section, shorter blocks take no more room than their fold. */
const LEAST_LINES = 3

/**
 * Folds the YAML of these sections, which the page shows in another form, and front matter, which is
 * the first block. `root` has the sections' headings as its children.
 */
export function foldYaml(root: ParentNode, sections: readonly string[]) {
  const titles = sections.map((title) => title.toLowerCase())
  let isFolding = false
  for (const [index, element] of [...root.children].entries()) {
    if (element.tagName === 'H2') isFolding = titles.includes(element.textContent.trim().toLowerCase())
    else if (isYaml(element) && isFolding && linesOf(element) >= LEAST_LINES) fold(element, 'YAML')
    else if (isYaml(element) && index === 0) fold(element, 'Front matter')
  }
}

function isYaml(element: Element): boolean {
  return element.tagName === 'PRE' && element.querySelector('code.language-yaml, code.language-yml') !== null
}

function linesOf(block: Element): number {
  return block.textContent.trimEnd().split('\n').length
}

function fold(block: Element, name: string) {
  const lines = linesOf(block)
  const document = block.ownerDocument
  const details = document.createElement('details')
  const summary = document.createElement('summary')
  details.className = 'folded'
  summary.textContent = `${name}, ${counted(lines, 'line')}`
  block.replaceWith(details)
  details.append(summary, block)
}
