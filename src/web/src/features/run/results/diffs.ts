import { useQueries } from '@tanstack/vue-query'
import { computed } from 'vue'
import { getArtifact, type WholeRun } from '@/api/runs'

const NAME = /\.(diff|patch)$/i
export const LARGEST = 256 * 1024
const MOST = 5

/** The artifacts that can be shown as diffs. */
export function diffsOf({ artifacts }: Pick<WholeRun, 'artifacts'>): string[] {
  const fitting = artifacts.filter(({ name, size }) => NAME.test(name) && size > 0 && size <= LARGEST)
  return fitting.slice(0, MOST).map(({ name }) => name)
}

/** Their texts, as they come in. */
export function useDiffs(run: () => WholeRun) {
  const names = computed(() => diffsOf(run()))
  const found = useQueries({
    queries: computed(() =>
      names.value.map((name) => ({
        queryKey: ['run-diff', run().id, name],
        queryFn: async () => (await getArtifact(run().id, name)).text(),
        staleTime: Infinity,
      })),
    ),
  })
  return computed(() =>
    names.value.map((name, at) => ({ name, text: found.value[at]?.data, error: found.value[at]?.error ?? null })),
  )
}
