import { authorizedFetch, type Schemas } from './client'
import { errorOf } from './problem'
import type { Row } from './runbooks'

export type Choice = Schemas['Choice']
export type OfferedChoices = Schemas['Choices']

/** What a form holds so far, without secrets and files. */
export interface ChoicesBody {
  env_vars: Record<string, string | Row[]>
  /** For a field of a list: the other values of its row. */
  row?: Row
  /** Asks the source again. */
  refresh?: boolean
}

/** The choices for an input now. `href` comes from the schema. */
export async function findChoices(href: string, body: ChoicesBody, signal?: AbortSignal): Promise<OfferedChoices> {
  const request = new Request(new URL(href, location.origin), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  })
  const response = await authorizedFetch(request)
  if (!response.ok) throw await errorOf(response)
  return (await response.json()) as OfferedChoices
}
