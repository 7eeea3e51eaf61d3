import { expect, it } from 'vitest'
import { executeLink, runbookLink, runLink } from './links'

it('keeps the slashes of a ref and escapes the rest', () => {
  expect(runbookLink('net/Push config?.md')).toBe('/runbook/net/Push%20config%3F.md')
  expect(executeLink('a#b.md')).toBe('/execute/a%23b.md')
  expect(executeLink('a.md', { from: '0 1' })).toBe('/execute/a.md?from=0+1')
  expect(runLink('01a2')).toBe('/run/01a2')
})
