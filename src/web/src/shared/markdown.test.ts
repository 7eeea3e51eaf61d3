import { describe, expect, it } from 'vitest'
import { renderMarkdown, runbookBody } from './markdown'

describe('renderMarkdown', () => {
  it('keeps scripts, pictures and forms out', () => {
    const html = renderMarkdown(
      '<script>alert(1)</script>\n\n![x](http://evil.example/x.png)\n\n[l](javascript:alert(1))',
    )
    expect(html).not.toMatch(/<script|<img|href="javascript/)
  })
  it('puts headings below that of the page', () => {
    expect(renderMarkdown('# One\n\n###### Six')).toMatch(/<h2>One<\/h2>\s*<h6>Six<\/h6>/)
  })
  it('marks the words of scripts', () => {
    expect(renderMarkdown('```sh\nif true; then echo "x"; fi\n```')).toContain('hljs-keyword')
    expect(renderMarkdown('```strange\n<b>\n```')).toContain('&lt;b&gt;')
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
  it('takes a runbook without either as it is', () => {
    expect(runbookBody('text')).toBe('text')
  })
})
