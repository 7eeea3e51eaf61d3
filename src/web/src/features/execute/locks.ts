import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import { type LockState, type Policy, type Runbook, useLocks } from '@/api/runbooks'
import type { Field, Given } from '@/shared/inputs/field'
import { useDebounced } from '@/shared/page/debounce'

const PLACEHOLDER = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g
/** Prefix of the lock that limits a runbook's concurrent runs. */
const CONCURRENCY = 'concurrency:'
const TYPING_MS = 300

/** `NAME=value` for the inputs that the policy's locks are named after; never secrets. */
export function lockInputs(policy: Policy | null, fields: readonly Field[], given: Given): string[] {
  const named = (policy?.locks ?? []).flatMap((lock) => [...lock.matchAll(PLACEHOLDER)].map(([, name]) => name))
  return fields.flatMap(({ name, kept }) => {
    const value = given[name]
    return kept && named.includes(name) && typeof value === 'string' ? [`${name}=${value}`] : []
  })
}

export type HeldLock = LockState & { held_by: NonNullable<LockState['held_by']> }

export function heldOf(locks: readonly LockState[]): HeldLock[] {
  return locks.filter((lock): lock is HeldLock => lock.held_by !== null)
}

/** What a lock is for; empty for one that the policy names. */
export function lockPurpose({ lock }: LockState): string {
  return lock.startsWith(CONCURRENCY) ? 'Concurrent runs of this runbook' : ''
}

/** The locks that a run with the values in the form would take; live. */
export function useFormLocks(
  runbook: MaybeRefOrGetter<Runbook>,
  fields: MaybeRefOrGetter<readonly Field[]>,
  given: () => Given,
) {
  const inputs = computed(() => lockInputs(toValue(runbook).policy, toValue(fields), given()))
  // Compared as text: any other input makes a new list, too.
  const text = computed(() => JSON.stringify(inputs.value))
  const settled = useDebounced(text, TYPING_MS)
  const { data } = useLocks(
    () => toValue(runbook).filename,
    () => JSON.parse(settled.value) as string[],
    () => {
      const { executable, valid, policy } = toValue(runbook)
      return executable && valid && policy !== null && (policy.locks.length > 0 || policy.concurrency !== null)
    },
  )
  return computed(() => data.value ?? [])
}
