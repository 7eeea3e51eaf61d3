import { expect, it } from 'vitest'
import type { ListedRunbook } from '@/api/runbooks'
import type { Toolkit } from '@/api/toolkits'
import { actionsOn, isNewer, needsOf, readmeBody, runbooksOf } from './toolkits'

const BUNDLED: Toolkit = {
  slug: 'health', name: 'Health', description: '', version: null, bundled_version: '1.2.0', previous_version: null,
  origin: null, digest: null, enabled: false, modified: false, installed_at: null, installed_by: null,
  missing: { extras: [], commands: [] },
}
const kinds = (changed: Partial<Toolkit>) => actionsOn({ ...BUNDLED, ...changed }).map(({ kind }) => kind)

it('offers what can be done, the most likely first', () => {
  expect(kinds({})).toEqual(['install'])
  expect(kinds({ version: '1.2.0' })).toEqual(['enable', 'remove'])
  expect(kinds({ version: '1.2.0', enabled: true, previous_version: '1.1.0' })).toEqual(['disable', 'rollback', 'remove'])
  expect(kinds({ version: '1.1.0', enabled: true })).toEqual(['upgrade', 'disable', 'remove'])
  expect(kinds({ version: '1.3.0', enabled: true, bundled_version: null })).toEqual(['disable', 'remove'])
})

it.each([
  ['1.10.0', '1.9.0', true],
  ['1.2', '1.2.0', false],
  ['1.2.1', '1.2', true],
  ['1.2.0', '1.2.0rc1', true],
  ['1.2.0rc1', '1.2.0', false],
  ['2.0.0.dev3', '1.9', true],
])('%s is newer than %s: %s', (version, than, newer) => {
  expect(isNewer(version, than)).toBe(newer)
})

it('says how to get what is missing', () => {
  expect(needsOf({ extras: ['proxmox'], commands: ['ssh'] })).toMatchObject([
    { kind: 'extra', name: 'proxmox', command: "pip install 'runbook-engine[proxmox]'" },
    { kind: 'command', name: 'ssh' },
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
