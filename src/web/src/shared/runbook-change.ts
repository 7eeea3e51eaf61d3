import { computed, ref, watch } from 'vue'
import type { Runbook } from '@/api/runbooks'
import { diffText } from '@/shared/text/diff'

type Read = Pick<Runbook, 'content' | 'digest'>

/** The diff of two runbooks without their History. Loads the parser lazily because it is large. */
export async function diffOfRunbooks(before: string, after: string): Promise<string> {
  const { withoutHistory } = await import('@/shared/markdown/render')
  return diffText(withoutHistory(before), withoutHistory(after))
}

/** Whether and how a runbook has changed since this was first called. */
export function useRunbookChange(current: () => Read) {
  const read = current()
  const diff = ref('')
  watch(
    () => current().digest,
    async (digest) => {
      const found = await diffOfRunbooks(read.content, current().content)
      // The runbook may have changed again meanwhile.
      if (current().digest === digest) diff.value = found
    },
  )
  return { isChanged: computed(() => current().digest !== read.digest), diff }
}
