// @vitest-environment jsdom
import { expect, it } from 'vitest'
import { renderMarkdown, runbookBody } from './render'
import { foldYaml } from './folding'

const YAML = '```yaml\na: 1\nb: 2\nc: 3\n```'

function folded(text: string): string[] {
  const fragment = renderMarkdown(runbookBody(text), 'A.md')
  foldYaml(fragment, ['Policy', 'Environment Requirements'])
  return [...fragment.querySelectorAll('details.folded')].map((one) => {
    const before = one.previousElementSibling?.textContent ?? 'start'
    return `${before}: ${one.querySelector('summary')?.textContent}`
  })
}

it('folds the YAML of the sections that panels repeat', () => {
  const text = `# A\n\nAbout.\n\n${YAML}\n\n# Policy\n${YAML}\n# Script\n${YAML}\n# environment requirements\n${YAML}`
  expect(folded(text)).toEqual(['Policy: YAML, 3 lines', 'environment requirements: YAML, 3 lines'])
})

it('folds front matter, and leaves short and other blocks alone', () => {
  const text = `---\ntags: [a]\n---\n# A\n\n${YAML}\n\n# Policy\n\n\`\`\`yaml\na: 1\n\`\`\`\n\n\`\`\`sh\na\nb\nc\n\`\`\``
  expect(folded(text)).toEqual(['start: Front matter, 1 line'])
})
