import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { effectScope, nextTick, ref } from 'vue'
import { useMenuFocus } from './menu-focus'

const isOpen = ref(false)
let scope = effectScope()
let item = document.createElement('button')
let frames: FrameRequestCallback[] = []

beforeEach(async () => {
  isOpen.value = false
  item = document.createElement('button')
  frames = []
  vi.stubGlobal('requestAnimationFrame', (frame: FrameRequestCallback) => frames.push(frame))
  scope = effectScope()
  scope.run(() => useMenuFocus(isOpen, () => item))
  isOpen.value = true
  await nextTick()
})
afterEach(() => {
  document.body.replaceChildren()
  scope.stop()
  vi.unstubAllGlobals()
})

it('moves the focus into a menu that has its place only some frames later', () => {
  expect(document.activeElement).not.toBe(item)
  document.body.append(item)
  frames.shift()?.(0)
  expect(document.activeElement).toBe(item)
  expect(frames).toEqual([])
})

it('waits as long as the menu takes', () => {
  for (let frame = 0; frame < 100; frame++) frames.shift()?.(0)
  document.body.append(item)
  frames.shift()?.(0)
  expect(document.activeElement).toBe(item)
  expect(frames).toEqual([])
})

it('leaves the focus where the user has moved it meanwhile', () => {
  const elsewhere = document.createElement('button')
  document.body.append(elsewhere, item)
  elsewhere.focus()
  frames.shift()?.(0)
  expect(document.activeElement).toBe(elsewhere)
  expect(frames).toEqual([])
})

it('gives up when the menu is closed before', () => {
  isOpen.value = false
  frames.shift()?.(0)
  expect(frames).toEqual([])
})
