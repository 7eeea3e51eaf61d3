import { expect, it } from 'vitest'
import type { ListedRunbook } from '@/api/runbooks'
import type { Toolkit } from '@/api/toolkits'
import { actionsOn, needsOf, originText, readmeBody, runbooksOf, updatesText } from './toolkits'

const BUNDLED: Toolkit = {
  slug: 'health', name: 'Health', description: '', version: null, bundled_version: '1.2.0', previous_version: null,
  origin: null, digest: null, enabled: false, modified: false, installed_at: null, installed_by: null,
  needs: { engine: '', extras: [], commands: [], connections: [] },
  missing: { extras: [], commands: [], connections: [] }, card: null, update: null,
}
const kinds = (changed: Partial<Toolkit>) => actionsOn({ ...BUNDLED, ...changed }).map(({ kind }) => kind)

it('offers what can be done, the most likely first', () => {
  expect(kinds({})).toEqual(['install'])
  expect(kinds({ version: '1.2.0' })).toEqual(['enable', 'remove'])
  expect(kinds({ version: '1.2.0', enabled: true, previous_version: '1.1.0' })).toEqual(['disable', 'rollback', 'remove'])
  expect(kinds({ version: '1.3.0', enabled: true, bundled_version: null })).toEqual(['disable', 'remove'])
})

it.each([['bundled', 'Bundled'], ['catalogue', 'From the catalogue']])('offers an update: %s', (origin, text) => {
  const update = { version: '2.0.0', origin }
  expect(actionsOn({ ...BUNDLED, version: '1.1.0', enabled: true, update })).toMatchObject([
    { kind: 'upgrade', text: 'Upgrade to 2.0.0' }, { kind: 'disable' }, { kind: 'remove' },
  ])
  expect(originText(update)).toBe(text)
})

it('says how many updates there are', () => {
  const update = { version: '2.0.0', origin: 'catalogue' }
  expect(updatesText([{ update }, { update: null }])).toBe('1 update available')
  expect(updatesText([{ update: null }])).toBe('All toolkits are up to date')
})

it('says how to get what is missing', () => {
  expect(needsOf({ extras: ['proxmox'], commands: ['ssh'], connections: ['proxmox'] })).toMatchObject([
    { kind: 'extra', name: 'proxmox', command: "pip install 'runbook-engine[proxmox]'" },
    { kind: 'command', name: 'ssh' },
    { kind: 'connection', name: 'proxmox' },
  ])
})

it('finds the runbooks of a toolkit, and no others', () => {
  const all = ['lab/Up.md', 'lab/a/Down.md', 'labor/Other.md', 'Lab.md'].map((path) => ({ path }) as ListedRunbook)
  expect(runbooksOf('lab', all.toReversed()).map(({ path }) => path)).toEqual(['lab/Up.md', 'lab/a/Down.md'])
})

it('drops a heading that repeats the name', () => {
  expect(readmeBody('# Lab\n\nText', 'Lab')).toBe('\nText')
  expect(readmeBody('# Lab machines\n\nText', 'Lab')).toBe('# Lab machines\n\nText')
})
