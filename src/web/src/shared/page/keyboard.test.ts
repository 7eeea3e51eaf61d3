import { effectScope, type EffectScope } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { handleKey, shortcuts, useShortcuts } from './keyboard'

const help = vi.fn()
const runs = vi.fn()
let scope: EffectScope

function press(key: string, init: KeyboardEventInit = {}, target: HTMLElement = document.body) {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, ...init })
  target.addEventListener('keydown', handleKey, { once: true })
  target.dispatchEvent(event)
}

beforeEach(() => {
  help.mockReset()
  runs.mockReset()
  scope = effectScope()
  scope.run(() =>
    useShortcuts([
      { keys: '?', label: 'Help', run: help },
      { keys: 'g u', label: 'Runs', run: runs },
    ]),
  )
})
afterEach(() => scope.stop())

describe('shortcuts', () => {
  it('are run by their key', () => {
    press('?')
    expect(help).toHaveBeenCalledOnce()
  })
  it('are run by two keys in order', () => {
    press('u')
    expect(runs).not.toHaveBeenCalled()
    press('g')
    press('u')
    expect(runs).toHaveBeenCalledOnce()
  })
  it('forget a first key that another one followed', () => {
    press('g')
    press('x')
    press('u')
    expect(runs).not.toHaveBeenCalled()
  })
  it('are not run while someone types, nor by the browser’s own keys', () => {
    press('?', {}, document.createElement('input'))
    press('?', { ctrlKey: true })
    expect(help).not.toHaveBeenCalled()
  })
  it('end with what registered them', () => {
    scope.stop()
    press('?')
    expect(help).not.toHaveBeenCalled()
    expect(shortcuts).toHaveLength(0)
  })
})
