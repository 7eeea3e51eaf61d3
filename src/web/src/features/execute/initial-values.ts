import type { WholeRun } from '@/api/runs'
import type { Field } from '@/shared/inputs/field'
import { emptyOnes, prefilled, startValues } from '@/shared/inputs/fields'
import type { FormDraft } from '@/shared/inputs/draft'
import type { Start } from '@/shared/inputs/form'
import { keptOf } from '@/shared/inputs/kept'

/**
 * What the form begins with: the values of its address, over those of an earlier run, or over
 * what was typed here before. `mark` tells one address from another.
 */
export function beginning(
  query: Record<string, unknown>,
  fields: readonly Field[],
  draft: FormDraft,
  earlier: WholeRun | undefined,
) {
  const linked = prefilled(query, fields)
  const mark = JSON.stringify([earlier?.id ?? '', linked.values])
  // What was typed over the values of this same address comes first: someone signed in again.
  const isSame = draft.has(mark)
  const laid = isSame ? {} : { ...(earlier && keptOf(earlier)), ...linked.values }
  const typed = isSame || !earlier ? draft : { values: {}, empty: [] }
  const start: Start = {
    values: startValues(fields, typed.values, laid),
    empty: [...typed.empty.filter((name) => !(name in laid)), ...emptyOnes(fields, laid)],
    touched: Object.keys(linked.values),
  }
  return { linked, mark, start }
}
