import { useQuery } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import { type ChoicesBody, findChoices, type OfferedChoices } from '@/api/choices'
import type { Row } from '@/api/runbooks'
import { useDebounced } from '@/shared/page/debounce'
import { namesText } from '@/shared/text/names'
import { formatTime } from '@/shared/time/format'
import type { Field, Given, Live } from '../field'
import { givenRow } from '../list/rows'
import type { Scope } from '../parts/showing'

const TYPING_MS = 300

export type LiveField = Field & { live: Live }

/** The field, if its choices are live and its value may be sent to find them. */
export function liveOf(field: Field | undefined): LiveField | null {
  return field?.live && field.kept ? (field as LiveField) : null
}

/** What to tell the source: never secrets or files. */
export function askedBody(fields: readonly Field[], given: Given, list?: Field, row?: Row, scope?: Scope): ChoicesBody {
  const told = fields.flatMap((field) => {
    const value = given[field.name]
    const isTold = field.kept && field.name !== list?.name && (typeof value === 'string' || Array.isArray(value))
    return isTold ? [[field.name, value] as [string, string | Row[]]] : []
  })
  const body: ChoicesBody = { env_vars: Object.fromEntries(told) }
  return list && row ? { ...body, row: givenRow(list, row, scope ?? new Map()) } : body
}

/** The values that the choices depend on, as one text. A field of the row wins over the input of its name. */
export function dependence(live: Live, { env_vars: given, row }: ChoicesBody, columns: readonly string[] = []): string {
  const values = live.inputs.map((name) => (columns.includes(name) ? row?.[name] : given[name]) ?? '')
  return JSON.stringify(values)
}

/** Live choices for the values in a form, if the user may ask. Asks again soon after a value changed that they depend on. */
export function useLiveChoices(
  live: MaybeRefOrGetter<Live>,
  ask: () => ChoicesBody,
  columns: () => readonly string[],
  mayAsk: () => boolean,
) {
  const wanted = computed(() => dependence(toValue(live), ask(), columns()))
  const settled = useDebounced(wanted, TYPING_MS)
  let isAnew = false
  const { data, error, isFetching, isPlaceholderData, refetch } = useQuery({
    enabled: mayAsk,
    queryKey: computed(() => ['choices', toValue(live).href, settled.value]),
    queryFn: ({ signal }) => findChoices(toValue(live).href, { ...ask(), refresh: isAnew }, signal),
    // Keeps the earlier choices until the new ones are there.
    placeholderData: (before) => before,
    staleTime: ({ state }) => ((state.data as OfferedChoices | undefined)?.problem ? 0 : toValue(live).ttlMs),
    gcTime: 60_000,
    retry: false,
    refetchInterval: false,
    refetchOnWindowFocus: false,
  })
  const isLoading = computed(() => isFetching.value || wanted.value !== settled.value)
  /** The answer to what is in the form now. */
  const current = computed(() => (isLoading.value || isPlaceholderData.value || error.value ? null : (data.value ?? null)))

  async function refresh() {
    isAnew = true
    await refetch()
    isAnew = false
  }

  return { offered: computed(() => data.value?.choices ?? []), current, error, isLoading, refresh }
}

/** `REGION and ZONE`: the labels of inputs that the source needs first. */
export function neededNames(names: string, fields: readonly Field[]): string {
  return namesText(names.split(', ').map((name) => fields.find((field) => field.name === name)?.label || name))
}

/** `14:02`, or with the date if that is another day. */
export function asOf(at: string, now = Date.now()): string {
  const [day = '', time = '', zone = ''] = formatTime(at).split(' ')
  const [today] = formatTime(new Date(now).toISOString()).split(' ')
  return [day === today ? '' : day, time.slice(0, 5), zone].filter(Boolean).join(' ')
}

/** Whether no answer can give choices, so that a value must be typed. */
export function isWithout(answer: OfferedChoices | null): boolean {
  return answer !== null && !answer.choices.length && answer.problem?.code !== 'choices_need_inputs'
}

/** The part of several choices that isn't offered. */
export function strangers(type: Field['type'], value: string, answer: OfferedChoices | null): string[] {
  if (!answer || answer.problem || !value) return []
  const given = type === 'multichoice' ? value.split(',') : [value]
  return given.filter((one) => !answer.choices.some((choice) => choice.value === one))
}

