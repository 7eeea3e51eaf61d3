import { computed, ref, watch } from 'vue'
import type { Runbook } from '@/api/runbooks'
import { diffText } from '@/shared/text/diff'

type Read = Pick<Runbook, 'content' | 'digest'>

/** How the texts above the History differ. The parser that finds the History is large. */
export async function diffOfRunbooks(before: string, after: string): Promise<string> {
  const { withoutHistory } = await import('@/shared/markdown/render')
  return diffText(withoutHistory(before), withoutHistory(after))
}

/** Whether a runbook is another one than it was when this was first called, and how. */
export function useRunbookChange(current: () => Read) {
  const read = current()
  const diff = ref('')
  watch(
    () => current().digest,
    async (digest) => {
      const found = await diffOfRunbooks(read.content, current().content)
      // It may have been changed once more meanwhile.
      if (current().digest === digest) diff.value = found
    },
  )
  return { isChanged: computed(() => current().digest !== read.digest), diff }
}
