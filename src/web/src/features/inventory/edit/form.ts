import { computed, ref } from 'vue'
import { type Device, type DeviceFields, type DeviceFilters, useAddDevice, useEditDevice } from '@/api/inventory'
import { ApiError } from '@/api/problem'
import type { Field, Values } from '@/shared/inputs/field'
import { fieldsOf, type Told } from '@/shared/inputs/fields'
import { inputOf, type Property } from '@/shared/inputs/parts/property'

const NAME = 'name'
const LISTS: readonly string[] = ['tags', 'groups']
const MOST_SHOWN = 12
const WORDS = 'Words of letters, digits and ._/-, separated by commas.'

/** The fields of a device; its name stays. `connections` are those to choose from. */
export function deviceFields(isNew: boolean, connections: readonly string[], counts: DeviceFilters | undefined): Field[] {
  const property = (title: string, description: string, example = ''): Property => ({
    title, description, 'x-type': 'string', 'x-order': 0, ...(example && { examples: [example] }),
  })
  const named = {
    name: property('Name', 'Up to 63 lowercase letters, digits, dots, hyphens and underscores. It can’t change later.', 'edge-1'),
  }
  const properties: Record<string, Property> = {
    ...(isNew ? named : {}),
    connection: {
      ...property('Connection', 'The address and credentials to reach it with. Devices can share one.'),
      'x-type': 'choice', enum: [...connections],
    },
    address: property('Address', 'Host name or IP address, if it’s not that of the connection.', '192.0.2.1'),
    site: property('Site', 'Its location.', 'fra'),
    role: property('Role', 'What it does.', 'router'),
    tags: property('Tags', WORDS, 'core, edge'),
    groups: property('Groups', WORDS, 'pilot'),
    vendor: property('Vendor', 'Usually filled in by runbooks.', 'MikroTik'),
    model: property('Model', 'Usually filled in by runbooks.'),
    version: property('Version', 'Usually filled in by runbooks.'),
  }
  const ordered = Object.fromEntries(Object.entries(properties).map(([name, one], at) => [name, { ...one, 'x-order': at }]))
  const inputs = Object.entries(ordered).map(([name, one]) => inputOf(name, one, name === NAME))
  return fieldsOf(inputs, ordered, []).map((field) => ({
    ...field, emptyText: 'never', note: noteOf(field.name, connections, counts),
  }))
}

function noteOf(name: string, connections: readonly string[], counts: DeviceFilters | undefined): string {
  if (name === 'connection') return connections.length ? '' : 'There is no connection that you may use. Add one on the page Connections.'
  const known = { site: counts?.sites, tags: counts?.tags, groups: counts?.groups, vendor: counts?.vendors }[name] ?? []
  const words = known.slice(0, MOST_SHOWN).map(({ value }) => value)
  return words.length ? `In use: ${words.join(', ')}` : ''
}

/** A device's fields as text. */
export function startOf(device: Device | undefined): Values {
  if (!device) return {}
  const { connection, address, site, role, vendor, model, version, tags, groups } = device
  const lists = { tags: tags.join(', '), groups: groups.join(', ') }
  return { connection: connection ?? '', address, site, role, vendor, model, version, ...lists }
}

/** Only what differs, so that a change made elsewhere meanwhile stays. */
export function changedFields(before: Values, now: Values): DeviceFields {
  const changed = Object.entries(now).filter(([name, text]) => name !== NAME && text.trim() !== (before[name] ?? ''))
  return Object.fromEntries(changed.map(([name, text]) => [name, LISTS.includes(name) ? wordsOf(text) : text.trim() || null]))
}

export function wordsOf(text: string): string[] {
  return text.split(/[,;]/).map((word) => word.trim()).filter(Boolean)
}

/** The server's problems, each at its field. */
export function atFields(problems: readonly Told[]): Told[] {
  return problems.map((problem) => ({
    ...problem, params: { variable: problem.code === 'bad_device_name' ? NAME : String(problem.params.field) },
  }))
}

/** Saves what a form holds. The server's problems go to their fields. */
export function useSaving(before: Device | undefined, tell: (problems: readonly Told[]) => void) {
  const add = useAddDevice()
  const edit = useEditDevice(() => before?.name ?? '')
  const failure = ref<Error | null>(null)

  function refuse(error: unknown) {
    const is = (status: number) => error instanceof ApiError && error.status === status
    if (error instanceof ApiError && is(422) && error.problems.length) return tell(atFields(error.problems))
    if (error instanceof ApiError && is(409) && !before) {
      return tell([{ code: error.code, params: { variable: NAME }, message: error.message, hint: null }])
    }
    failure.value = error instanceof Error ? error : new Error(String(error))
  }

  return {
    failure,
    isPending: computed(() => add.isPending.value || edit.isPending.value),
    isOutdated: computed(() => before !== undefined && failure.value instanceof ApiError && failure.value.status === 409),
    /** The name of the device; null if it was refused. */
    async save(values: Values): Promise<string | null> {
      failure.value = null
      tell([])
      const fields = changedFields(startOf(before), values)
      try {
        if (before) return (await edit.mutateAsync({ ...fields, revision: before.revision })).name
        return (await add.mutateAsync({ name: (values[NAME] ?? '').trim(), fields })).name
      } catch (error) {
        refuse(error)
        return null
      }
    },
  }
}
