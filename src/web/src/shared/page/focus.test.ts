import { afterEach, beforeEach, expect, it } from 'vitest'
import { effectScope, nextTick, ref } from 'vue'
import { useFocusReturn } from './focus'

const isOpen = ref(false)
let scope = effectScope()

function element(id: string): HTMLElement {
  return document.getElementById(id) as HTMLElement
}

beforeEach(() => {
  document.body.innerHTML =
    '<main id="main" tabindex="-1"><button id="opener"></button></main><button id="inside"></button>'
  isOpen.value = false
  scope = effectScope()
  scope.run(() => useFocusReturn(() => isOpen.value))
})
afterEach(() => scope.stop())

async function openAndClose(meanwhile?: () => void) {
  isOpen.value = true
  await nextTick()
  element('inside').focus()
  meanwhile?.()
  isOpen.value = false
  await nextTick()
  await nextTick()
  return document.activeElement?.id
}

it('gives the focus back to what opened the dialog', async () => {
  element('opener').focus()
  expect(await openAndClose()).toBe('opener')
})

it('gives it to the content where nothing had it', async () => {
  element('opener').blur()
  expect(await openAndClose()).toBe('main')
})

it('gives it to the content where what had it is gone or can take it no more', async () => {
  element('opener').focus()
  expect(await openAndClose(() => element('opener').setAttribute('disabled', ''))).toBe('main')
  element('opener').removeAttribute('disabled')
  element('opener').focus()
  expect(await openAndClose(() => element('opener').remove())).toBe('main')
})
