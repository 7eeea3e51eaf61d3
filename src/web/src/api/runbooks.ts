import { useInfiniteQuery, useQuery } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import { useChanges } from './changes'
import { api, authorizedFetch, bodyOf, fillPath, type Schemas } from './client'
import { errorOf } from './problem'

export type Runbook = Schemas['RunbookContent']
export type InputItem = Schemas['InputItem']
export type Policy = Schemas['PolicyItem']
export type Step = Schemas['StepItem']
export type Problem = Schemas['ProblemItem']
export type HistoryHead = Schemas['HistoryHead']
export type LegacyEntry = Schemas['LegacyEntry']
export type ListedRunbook = Schemas['ListedRunbook']
export type LineMatch = Schemas['LineMatch']
/** A field of a list. */
export type FieldItem = Schemas['FieldItem']
export type Condition = Schemas['ShowIf']
export type InputGroup = Schemas['InputGroup']

/** Runbook files can change without a run. */
const LIST_MS = 30_000

export function useRunbooks() {
  useChanges()
  return useQuery({
    queryKey: ['runbooks'],
    queryFn: async ({ signal }) =>
      (await bodyOf(api.GET('/api/runbooks', { signal }))).runbooks,
    refetchInterval: LIST_MS,
  })
}

/** Minimum length of a full-text search, which the server does. */
export const MIN_SEARCH = 3

/** Runbooks whose document contains the text: by ref, with the matching line. */
export function useRunbookSearch(text: MaybeRefOrGetter<string>) {
  const sought = computed(() => toValue(text).trim())
  return useQuery({
    queryKey: computed(() => ['runbooks', 'search', sought.value]),
    queryFn: async ({ signal }) => {
      const call = api.GET('/api/runbooks', { params: { query: { q: sought.value } }, signal })
      const { runbooks } = await bodyOf(call)
      return new Map(runbooks.map((runbook) => [runbook.path, runbook.match ?? null]))
    },
    enabled: computed(() => sought.value.length >= MIN_SEARCH),
  })
}

export function useRunbook(ref: MaybeRefOrGetter<string>, enabled: () => boolean = () => true) {
  return useQuery({
    queryKey: computed(() => ['runbook', toValue(ref)]),
    queryFn: ({ signal }) =>
      bodyOf(api.GET('/api/runbooks/{ref}', { params: { path: { ref: toValue(ref) } }, signal })),
    enabled,
  })
}

/** An input as JSON Schema, with the engine's extensions. */
export interface InputProperty {
  description?: string
  default?: unknown
  examples?: unknown[]
  enum?: string[]
  /** The choices of a multichoice, or the fields of a list. */
  items?: { enum?: string[]; properties?: Record<string, InputProperty> }
  pattern?: string
  allOf?: { pattern: string }[]
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  minimum?: number
  maximum?: number
  'x-type': Schemas['InputItem']['type']
  'x-order': number
  'x-group'?: string
  'x-from'?: string
  'x-choices-from'?: string
  'x-choices'?: { href: string; runbook: string; inputs: string[]; strict: boolean; ttl_seconds: number }
  'x-show-if'?: Condition[]
  'x-required'?: boolean
  'x-minimum'?: string
  'x-maximum'?: string
  'x-pattern'?: string
}

type InputSchema = Schemas['InputSchema']

function useSchema<T>(ref: MaybeRefOrGetter<string>, select: (schema: InputSchema) => T) {
  return useQuery({
    queryKey: computed(() => ['runbook', toValue(ref), 'inputs']),
    queryFn: ({ signal }) =>
      bodyOf(api.GET('/api/runbooks/{ref}/inputs', { params: { path: { ref: toValue(ref) } }, signal })),
    select,
  })
}

export function useInputSchema(ref: MaybeRefOrGetter<string>) {
  return useSchema(ref, (schema) => schema.properties as unknown as Record<string, InputProperty>)
}

/** The groups of the inputs, in order: the pages of a long form. */
export function useInputGroups(ref: MaybeRefOrGetter<string>) {
  return useSchema(ref, (schema) => schema['x-groups'])
}

export type LockState = Schemas['PreviewLock']

/**
 * The locks that a run with these inputs would take, with their holders. Refetched whenever a run
 * starts or ends; null until known.
 */
export function useLocks(
  ref: MaybeRefOrGetter<string>,
  inputs: MaybeRefOrGetter<readonly string[]>,
  enabled: MaybeRefOrGetter<boolean>,
) {
  useChanges()
  return useQuery({
    // A key below `runs`, which the stream of changes refetches.
    queryKey: computed(() => ['runs', 'locks', toValue(ref), toValue(inputs)]),
    queryFn: async ({ signal }) => {
      const params = { path: { ref: toValue(ref) }, query: { input: [...toValue(inputs)] } }
      return (await bodyOf(api.GET('/api/runbooks/{ref}/locks', { params, signal }))).locks
    },
    placeholderData: (previous) => previous,
    enabled: computed(() => toValue(enabled)),
  })
}

/** The names of inputs that the server supplies unless the request does. */
export function useSupplied(ref: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: computed(() => ['runbook', toValue(ref), 'required-env']),
    queryFn: async ({ signal }) => {
      const params = { path: { ref: toValue(ref) } }
      const found = await bodyOf(api.GET('/api/runbooks/{ref}/required-env', { params, signal }))
      return found.available.map((input) => input.name)
    },
  })
}

const HISTORY_PAGE = 20

/** History entries, newest first, in pages. */
export function useHistory(ref: MaybeRefOrGetter<string>, enabled: MaybeRefOrGetter<boolean>) {
  return useInfiniteQuery({
    queryKey: computed(() => ['runbook', toValue(ref), 'history']),
    queryFn: ({ pageParam, signal }) => {
      const query = { limit: HISTORY_PAGE, ...(pageParam !== null && { before: pageParam }) }
      const params = { path: { ref: toValue(ref) }, query }
      return bodyOf(api.GET('/api/runbooks/{ref}/history', { params, signal }))
    },
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next_before,
    enabled,
  })
}

/** A History entry with its output, loaded on demand. */
export function useHistoryEntry(ref: MaybeRefOrGetter<string>, n: number) {
  return useQuery({
    queryKey: computed(() => ['runbook', toValue(ref), 'history', n]),
    queryFn: ({ signal }) => {
      const params = { path: { ref: toValue(ref), n } }
      return bodyOf(api.GET('/api/runbooks/{ref}/history/{n}', { params, signal }))
    },
    staleTime: Infinity,
  })
}

export interface GivenFile {
  name: string
  content_base64: string
}

/** A row of a list, by field. The engine accepts every value as text. */
export type Row = Record<string, string>

export interface Execution {
  env_vars: Record<string, string | GivenFile | Row[]>
  reason?: string
  confirm?: string
  dry_run?: boolean
  /** Digest of the document that the user read; no other one runs. */
  digest?: string
}

/** The problems that would prevent this run. Starts nothing. */
export async function validateExecution(ref: string, body: Execution): Promise<Problem[]> {
  const address = new URL(fillPath('/api/runbooks/{ref}/validate', { ref }), location.origin)
  const response = await authorizedFetch(
    new Request(address, {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    }),
  )
  const report = (await response.clone().json().catch(() => null)) as Schemas['Report'] | null
  if (Array.isArray(report?.problems)) {
    return report.problems.filter((problem) => problem.severity === 'error')
  }
  throw await errorOf(response)
}

/** Starts a run and returns its id at once; the run's page follows it. */
export async function executeRunbook(ref: string, body: Execution, key: string): Promise<string> {
  const { data } = await api.POST('/api/runbooks/{ref}/execute', {
    params: { path: { ref } },
    body: { ...body, env_vars: body.env_vars as Record<string, string> },
    headers: { Prefer: 'respond-async', 'Idempotency-Key': key, Accept: 'application/json' },
  })
  return (data as unknown as { run_id: string }).run_id
}
