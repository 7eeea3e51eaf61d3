import { expect, it } from 'vitest'
import { type Connection, type Kind, kindTitle, type ValuesSchema } from '@/api/connections'
import { checkText } from '@/shared/inputs/check'
import type { Field } from '@/shared/inputs/field'
import { sorted } from './form'
import { addressOf, filtered, fingerprintsOf, whoText } from './listing'
import { claimsOf, labelsOf, newPair, pairFaults } from './pairs'
import { alternativesText, changedValues, fieldsOfKind, missingOf, startOf } from './values'

// As the API describes a kind.
const schema: ValuesSchema = {
  properties: {
    host: {
      title: 'Host', 'x-type': 'string', 'x-order': 1, minLength: 1, examples: ['pve.example.com'],
      allOf: [{ pattern: '^[^\\r\\n]*$' }], pattern: '^(?:[A-Za-z0-9._-]+)$',
    },
    port: { title: 'Port', 'x-type': 'integer', 'x-order': 2, default: 8006, minimum: 1, maximum: 65535 },
    token_id: { title: 'Token ID', 'x-type': 'string', 'x-order': 3, pattern: '^[^\\r\\n]*$' },
    token_secret: { title: 'Token secret', 'x-type': 'secret', 'x-order': 4, minLength: 4, writeOnly: true },
    user: { title: 'User', 'x-type': 'string', 'x-order': 5, pattern: '^[^\\r\\n]*$' },
    password: { title: 'Password', 'x-type': 'secret', 'x-order': 6, minLength: 4, writeOnly: true },
    verify_tls: { title: 'Verify TLS', 'x-type': 'boolean', 'x-order': 7, default: true },
  },
  required: ['host'],
  anyOf: [{ required: ['token_id', 'token_secret'] }, { required: ['user', 'password'] }],
}
const kind: Kind = { name: 'proxmox', title: 'Proxmox VE', schema, host_keys: false }
const fields = fieldsOfKind(schema)
function field(name: string): Field {
  const found = fields.find((one) => one.name === name)
  if (!found) throw new Error(name)
  return found
}

it('makes fields of a schema', () => {
  expect(fields.filter(({ required }) => required).map(({ name }) => name)).toEqual(['host'])
  expect(fields.filter(({ kept }) => !kept).map(({ name }) => name)).toEqual(['token_secret', 'password'])
  expect([field('host').pattern, field('token_id').pattern]).toEqual(['[A-Za-z0-9._-]+', null])
  expect([checkText(field('host'), 'a b') === null, checkText(field('port'), '70000') === null]).toEqual([false, false])
  expect([field('host').min, field('token_secret').min]).toEqual([null, '4'])
  expect(startOf(fields, { host: 'pve', verify_tls: false })).toMatchObject({ host: 'pve', port: '8006', verify_tls: 'false', user: '' })
})

it('sends what differs, and null for what was removed', () => {
  const before = { host: 'a', port: '8006', user: 'x' }
  expect(changedValues(before, { host: 'b', port: '8006', user: '', password: 'new' }, ['token_secret'])).toEqual({
    host: 'b', user: null, password: 'new', token_secret: null,
  })
})

it('says which alternatives there are and what the one that was begun lacks', () => {
  expect(['proxmox', 'gone'].map((name) => kindTitle(name, [kind]))).toEqual(['Proxmox VE', 'gone'])
  expect(alternativesText(kind)).toBe('Token ID and Token secret, or User and Password')
  const given = (...names: string[]) => missingOf(kind, (name) => names.includes(name))
  expect([given()?.name, given('password')?.name, given('token_id')?.name]).toEqual(['token_id', 'user', 'token_secret'])
  expect(given('user', 'password', 'token_id')).toBeNull()
  expect(missingOf({ schema: { ...schema, anyOf: undefined } }, () => false)).toBeNull()
})

it('reads claims and labels, and tells faulty rows', () => {
  const rows = [newPair('roles', 'sre, netops,'), newPair(), newPair('team', ' , '), newPair('', 'x'), newPair(' roles', 'y')]
  expect(claimsOf(rows.slice(0, 2))).toEqual({ roles: ['sre', 'netops'] })
  expect(labelsOf([newPair('site', 'Berlin, Mitte')])).toEqual({ site: 'Berlin, Mitte' })
  expect(Object.keys(pairFaults(rows, true)).map(Number)).toEqual(rows.slice(2).map(({ key }) => key))
  expect(pairFaults([newPair('site')], false)).toEqual({})
})

it('shows addresses and who may use it, and finds by all of it', () => {
  const common = { kind: 'proxmox', description: '', labels: {} }
  const all: Pick<Connection, 'name' | 'kind' | 'description' | 'values' | 'claims' | 'labels'>[] = [
    { ...common, name: 'a', values: { host: 'fd00::1', port: 8006 }, claims: { roles: ['sre', 'ops'], team: ['x'] } },
    { ...common, name: 'b', values: { url: 'https://ipam.example' }, claims: {}, kind: 'netbox', labels: { site: 'Berlin' } },
  ]
  expect(all.map(addressOf)).toEqual(['[fd00::1]:8006', 'https://ipam.example'])
  expect(all.map(whoText)).toEqual(['roles: sre or ops; team: x', 'Everyone'])
  const names = (text: string, of = '') => filtered(all, text, of).map(({ name }) => name)
  expect([names(''), names('berlin IPAM'), names('sre'), names('', 'netbox'), names('sre', 'netbox')]).toEqual([
    ['a', 'b'], ['b'], ['a'], ['b'], [],
  ])
})

it('brings the problems of the server to their fields', () => {
  const told = (code: string, params = {}) => ({ code, params, message: code, hint: null })
  const found = sorted([
    told('missing_field', { field: 'token', kind: 'netbox' }),
    told('bad_connection_name'),
    told('bad_claim', { claim: 'roles' }),
    told('bad_label', { label: '?' }),
    told('bad_description'),
  ])
  expect(found.values.map(({ params }) => params.variable)).toEqual(['token'])
  expect(found.head.map(({ params }) => params.variable)).toEqual(['name', 'description'])
  expect([found.claims.length, found.labels.length]).toEqual([1, 1])
})

it('reads both fingerprints of a new host key', () => {
  const [before, now] = ['a/+'.repeat(15).slice(0, 43), 'b'.repeat(43)]
  const message = `h:22 has another host key than before: expected SHA256:${before} (ssh-ed25519), got SHA256:${now}. Run: x --fingerprint SHA256:${now}`
  expect(fingerprintsOf(message)).toEqual({ before: `SHA256:${before}`, now: `SHA256:${now}` })
  expect(fingerprintsOf('Timed out')).toBeNull()
})
