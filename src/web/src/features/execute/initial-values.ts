import type { WholeRun } from '@/api/runs'
import type { Field } from '@/shared/inputs/field'
import { emptyOnes, prefilled, startValues } from '@/shared/inputs/fields'
import type { FormDraft } from '@/shared/inputs/draft'
import type { Start } from '@/shared/inputs/form'
import { keptOf } from '@/shared/inputs/kept'

/**
 * Initial values of the form: values in the URL win over those of an earlier run, or over the
 * draft in this tab. `mark` identifies the URL.
 */
export function beginning(
  query: Record<string, unknown>,
  fields: readonly Field[],
  draft: FormDraft,
  earlier: WholeRun | undefined,
) {
  const linked = prefilled(query, fields)
  const mark = JSON.stringify([earlier?.id ?? '', linked.values])
  // A draft of this same URL wins over everything: the user signed in again.
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
