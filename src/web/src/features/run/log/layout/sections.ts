import { reactive, watch } from 'vue'
import type { WholeRun } from '@/api/runs'
import { lastLineOf, type StepRun } from './rows'

const QUIET: readonly StepRun['status'][] = ['succeeded', 'restored', 'skipped']

export function isTrouble(step: StepRun): boolean {
  return !QUIET.includes(step.status) && step.status !== 'running'
}

/** Which steps are expanded: by default, running and failed ones; all of them while lines are filtered. */
export function useSections(run: () => WholeRun, isFollowing: () => boolean, isFiltered: () => boolean) {
  const chosen = reactive(new Map<number, boolean>())
  const isOpen = (step: StepRun) => chosen.get(step.n) ?? (isFiltered() || !QUIET.includes(step.status))

  watch(
    () => run().id,
    () => chosen.clear(),
  )
  // Don't collapse a step that the user is reading.
  watch(
    () => run().steps,
    (now, before) => {
      if (isFollowing()) return
      for (const step of now) {
        const was = before.find((item) => item.n === step.n)
        if (was?.status === 'running' && QUIET.includes(step.status) && !chosen.has(step.n)) {
          chosen.set(step.n, true)
        }
      }
    },
  )
  function openLine(n: number) {
    for (const step of run().steps) {
      const last = lastLineOf(step, Infinity)
      if (step.first_line <= n && n <= last) chosen.set(step.n, true)
    }
  }
  return {
    isOpen,
    openLine,
    toggle: (step: StepRun) => chosen.set(step.n, !isOpen(step)),
    setAll: (open: boolean) => run().steps.forEach((step) => chosen.set(step.n, open)),
  }
}
