import type { RunEvent } from '@/api/events'
import type { WholeRun } from '@/api/runs'

/** Says that output follows at the end of the run: then it has. */
const PAUSED = 'output_paused'

/** The texts of a run's notices, each with the step that it is about if there are several. */
export function noticeTexts(notices: readonly RunEvent[], run: Pick<WholeRun, 'active' | 'steps'>): string[] {
  const current = notices.filter(({ code }) => run.active || code !== PAUSED)
  const texts = current.map((notice) => {
    const step = run.steps.length > 1 && run.steps.find(({ n }) => n === notice.step)
    const text = textOf(notice, run.active)
    return step ? `Step ${step.n}, ${step.name}: ${text}` : text
  })
  return [...new Set(texts)]
}

function textOf({ code, message, params }: RunEvent, isActive: boolean): string {
  if (code === 'survivors_left' && !isActive) {
    // The message says that the run still holds its locks.
    const { pids } = params as { pids: number[] }
    return `The worker died, and the run ended only when these processes of the script had ended: ${pids.join(', ')}`
  }
  return String(message)
}
