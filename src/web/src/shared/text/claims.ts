import type { Schemas } from '@/api/client'

/** As much of a runbook's answer as tells of the claims that the token lacks. */
export interface Access {
  requirements: readonly Schemas['Requirement'][]
}

/** The claims that are needed, as `roles=sre or api; team=platform`. */
export function neededText({ requirements }: Access): string {
  const texts = requirements.map(({ claim, wanted }) => `${claim}=${wanted.join(' or ')}`)
  // Nothing is named where nobody may, since the section cannot be understood.
  return texts.join('; ') || 'its Required Claims corrected'
}

/** What the token has instead, as `roles=developer; no team`. */
export function givenText({ requirements }: Access): string {
  return requirements
    .map(({ claim, given }) => (given === null ? `no ${claim}` : `${claim}=${given.join(', ') || '(empty)'}`))
    .join('; ')
}
