import { expect, it } from 'vitest'
import { givenText, neededText } from './claims'

const LACKING = [
  { claim: 'roles', wanted: ['sre', 'api'], given: ['developer'] },
  { claim: 'team', wanted: ['platform'], given: null },
]

it('says what is needed, not what one has', () => {
  expect(neededText({ requirements: LACKING })).toBe('roles=sre or api; team=platform')
})

it('says what one has instead', () => {
  expect(givenText({ requirements: LACKING })).toBe('roles=developer; no team')
})

it('says what to do where the claims cannot be understood', () => {
  expect(neededText({ requirements: [] })).toBe('a corrected Required Claims section')
})
