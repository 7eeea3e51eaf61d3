import { computed, ref } from 'vue'
import {
  type Connection, type ConnectionChanges, type Kind, type NewConnection, useAddConnection, useEditConnection,
} from '@/api/connections'
import { ApiError } from '@/api/problem'
import type { Field } from '@/shared/inputs/field'
import { fieldsOf, type Told } from '@/shared/inputs/fields'
import { inputOf, type Property } from '@/shared/inputs/parts/property'
import type { Pair } from './pairs'

/** What the form holds; of `values`, only what differs. */
export type Content = Required<Pick<NewConnection, 'name' | 'description' | 'values' | 'claims' | 'labels'>> & {
  values: NonNullable<ConnectionChanges['values']>
}

const NAME_HELP = 'Up to 64 letters, digits, dots, hyphens and underscores. It can’t change later.'
const MOST_CHARACTERS = 500

/** The fields that every connection has. The name stays: secrets are bound to it. */
export function headFields(isNew: boolean): Field[] {
  const name = { title: 'Name', 'x-type': 'string', 'x-order': 1, examples: ['lab-pve'], description: NAME_HELP } satisfies Property
  const description = { title: 'Description', 'x-type': 'text', 'x-order': 2, maxLength: MOST_CHARACTERS } satisfies Property
  const properties: Record<string, Property> = isNew ? { name, description } : { description }
  const inputs = Object.entries(properties).map(([one, property]) => inputOf(one, property, one === 'name'))
  return fieldsOf(inputs, properties, []).map((field) => ({ ...field, emptyText: 'never' }))
}

const HEAD: Record<string, string> = {
  bad_connection_name: 'name',
  duplicate: 'name',
  bad_description: 'description',
}

/** The server's problems by the part of the form that they concern. */
export interface Sorted {
  head: Told[]
  values: Told[]
  claims: Told[]
  labels: Told[]
}

export function sorted(problems: readonly Told[]): Sorted {
  const found: Sorted = { head: [], values: [], claims: [], labels: [] }
  for (const problem of problems) {
    const head = HEAD[problem.code]
    const at = (variable: unknown) => ({ ...problem, params: { variable: String(variable) } })
    if (head) found.head.push(at(head))
    else if (typeof problem.params.claim === 'string') found.claims.push(problem)
    else if (typeof problem.params.label === 'string') found.labels.push(problem)
    else found.values.push(at(problem.params.field))
  }
  return found
}

interface Tell {
  tellHead: (problems: readonly Told[]) => void
  tellValues: (problems: readonly Told[]) => void
}

/** Saves what a form holds. The server's problems go to their fields. */
export function useSaving(kind: Kind, before: Connection | undefined, { tellHead, tellValues }: Tell) {
  const add = useAddConnection()
  const edit = useEditConnection(() => before?.name ?? '')
  const failure = ref<Error | null>(null)
  const told = ref<Told[]>([])

  function send({ name, ...rest }: Content): Promise<Connection> {
    if (!before) return add.mutateAsync({ name, kind: kind.name as NewConnection['kind'], ...rest })
    const { values, ...others } = rest
    // Setting values drops the result of the last check.
    const changed = Object.keys(values).length ? { values } : {}
    return edit.mutateAsync({ ...others, ...changed, revision: before.revision })
  }

  function refuse(error: unknown) {
    const isTaken = error instanceof ApiError && error.code === 'duplicate'
    const problems: readonly Told[] =
      isTaken ? [{ code: error.code, params: {}, message: error.message, hint: null }]
      : error instanceof ApiError && error.status === 422 ? error.problems
      : []
    if (!problems.length) {
      failure.value = error instanceof Error ? error : new Error(String(error))
      return
    }
    const { head, values, claims, labels } = sorted(problems)
    tellHead(head)
    tellValues(values)
    told.value = [...claims, ...labels]
  }

  return {
    failure,
    isPending: computed(() => add.isPending.value || edit.isPending.value),
    clear() {
      failure.value = null
      told.value = []
      tellHead([])
      tellValues([])
    },
    /** The name of the connection; null if it was refused. */
    async save(content: Content): Promise<string | null> {
      try {
        return (await send(content)).name
      } catch (error) {
        refuse(error)
        return null
      } finally {
        // What was sent may have secrets.
        add.reset()
        edit.reset()
      }
    },
    /** What is wrong in rows of claims or labels: what the form found, then what the server did. */
    faultsOf(pairs: readonly Pair[], param: 'claim' | 'label', own: Record<number, string>): Record<number, string> {
      const faults = { ...own }
      for (const { key, name } of pairs) {
        const problem = told.value.find(({ params }) => params[param] === name.trim())
        if (problem) faults[key] ??= [problem.message, problem.hint].filter(Boolean).join('. ')
      }
      return faults
    },
  }
}
