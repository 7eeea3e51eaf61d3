import type { Schemas } from '@/api/client'

/** The part of a runbook that tells which claims the token lacks. */
export interface Access {
  requirements: readonly Schemas['Requirement'][]
}

/** The required claims, as `roles=sre or api; team=platform`. */
export function neededText({ requirements }: Access): string {
  const texts = requirements.map(({ claim, wanted }) => `${claim}=${wanted.join(' or ')}`)
  // No claim is named if the section cannot be parsed: then no token has access.
  return texts.join('; ') || 'a corrected Required Claims section'
}

/** What the token has instead, as `roles=developer; no team`. */
export function givenText({ requirements }: Access): string {
  return requirements
    .map(({ claim, given }) => (given === null ? `no ${claim}` : `${claim}=${given.join(', ') || '(empty)'}`))
    .join('; ')
}
