import { mount } from '@vue/test-utils'
import { expect, it } from 'vitest'
import { nextTick } from 'vue'
import type { Field } from './field'
import { fieldsOf } from './fields'
import SecretControl from './SecretControl.vue'
import TextControl from './TextControl.vue'

const LINES = 'info:\n  name: demo\n\tslug: demo\n'

function field(type: Field['type'], typed = true): Field {
  const item = {
    name: 'X', description: '', type, typed, default: null, optional: false, choices: [], choices_from: null, live_choices: null, show_if: [], kind: null, vendor: null, tag: null, items: [],
    pattern: null, min: null, max: null, group: null, label: null, example: null, from: null, sensitive: false, line: 1,
  }
  return fieldsOf([item], {}, [])[0] as Field
}

function shown(control: typeof TextControl | typeof SecretControl, of: Field, given = '') {
  const page = mount(control, {
    attachTo: document.body,
    props: {
      id: 'x', field: of, describedBy: '', faulty: false, modelValue: given,
      'onUpdate:modelValue': (text: string) => page.setProps({ modelValue: text }),
    },
    global: { stubs: { VBtn: true } },
  })
  const box = () => page.get<HTMLInputElement | HTMLTextAreaElement>('#x').element
  return {
    value: () => page.props('modelValue') as string,
    isArea: () => box() instanceof HTMLTextAreaElement,
    note: () => page.find('[role=status]').exists(),
    box,
    /** Like a browser: first asks, then inserts what its control can hold. */
    async insert(text: string, inputType = 'insertFromPaste') {
      const event = new InputEvent('beforeinput', { data: text, inputType, cancelable: true, bubbles: true })
      if (box().dispatchEvent(event)) {
        box().setRangeText(text, box().selectionStart ?? 0, box().selectionEnd ?? 0, 'end')
        box().dispatchEvent(new Event('input'))
      }
      await nextTick()
      await nextTick()
    },
  }
}

it.each([
  [TextControl, field('string', false)],
  [SecretControl, field('secret')],
])('keeps the line breaks of what is inserted, where it is inserted', async (control, of) => {
  const found = shown(control, of, 'ab')
  expect(found.isArea()).toBe(false)
  found.box().setSelectionRange(1, 1)
  await found.insert(LINES)
  expect(found.value()).toBe(`a${LINES}b`)
  expect([found.isArea(), found.box().value, found.note()]).toEqual([true, `a${LINES}b`, false])
  expect([document.activeElement, found.box().selectionStart]).toEqual([found.box(), LINES.length + 1])
  await found.insert('x')
  expect(found.value()).toBe(`a${LINES}xb`)
})

it.each(['a\nb', 'a\r\nb', 'a\rb', '\n'])('shows a value with line breaks in a text area: %j', (text) => {
  for (const found of [shown(TextControl, field('string', false), text), shown(TextControl, field('ip'), text)]) {
    expect([found.isArea(), found.value(), found.note()]).toEqual([true, text, text.includes('\r')])
  }
})

it.each([' \t a\t ', 'a\0b', '  '])('leaves alone what a field can hold: %j', async (text) => {
  const found = shown(TextControl, field('string', false))
  await found.insert(text)
  expect([found.value(), found.isArea(), found.note()]).toEqual([text, false, false])
})

it('says what becomes of carriage returns', async () => {
  const pasted = shown(TextControl, field('text', false))
  await pasted.insert('a\r\nb\rc')
  expect([pasted.value(), pasted.note()]).toEqual(['a\nb\nc', true])

  const given = shown(TextControl, field('text'), 'a\r\nb')
  expect(given.value()).toBe('a\r\nb')
  await given.insert('c')
  expect([given.value(), given.note()]).toEqual(['a\nbc', true])
})

it('cuts a line break at the end where none can be right, and says so', async () => {
  const found = shown(TextControl, field('integer'))
  await found.insert('10\n')
  expect([found.value(), found.isArea(), found.note()]).toEqual(['10', false, true])
  const two = shown(TextControl, field('integer'))
  await two.insert('10\n20\n')
  expect([two.value(), two.isArea()]).toEqual(['10\n20\n', true])
})
