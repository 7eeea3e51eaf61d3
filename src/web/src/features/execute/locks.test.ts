import { expect, it } from 'vitest'
import type { Policy } from '@/api/runbooks'
import type { Field } from '@/shared/inputs/field'
import { lockInputs } from './locks'

const field = (name: string, kept = true) => ({ name, kept }) as Field
const policy = { locks: ['host:${HOST}-${ZONE}', 'token:${TOKEN}', 'fleet'] } as Policy

it('sends the inputs that locks are named after, and no secrets', () => {
  const fields = [field('HOST'), field('ZONE'), field('TOKEN', false), field('OTHER')]
  const given = { HOST: 'a=b', TOKEN: 'hidden', OTHER: 'x' }
  expect(lockInputs(policy, fields, given)).toEqual(['HOST=a=b'])
  expect(lockInputs(null, fields, given)).toEqual([])
})
