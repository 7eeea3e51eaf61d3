import { mount } from '@vue/test-utils'
import { expect, it } from 'vitest'
import { h } from 'vue'
import CodeText from './CodeText'

it('shows hidden characters that turn text, and keeps them for who copies', () => {
  const text = 'if x \u202e:\n  \u2066\u2069 <b>'
  const shown = mount(() => h('pre', h(CodeText, { text })))
  expect(shown.element.textContent).toBe(text)
  const marks = shown.findAll('.code-turn').map((mark) => mark.attributes('data-turn'))
  expect(marks).toEqual(['U+202E', 'U+2066', 'U+2069'])
})
