import type { WholeRun } from '@/api/runs'
import { exitCodeOf, STATUS } from '@/shared/status'
import { rowLines } from '@/shared/text/json-rows'
import { formatDuration, formatTime } from '@/shared/time/format'

/** One row of the comparison: the same property of both runs. */
export interface CompareRow {
  name: string
  texts: [string | null, string | null]
  differs: boolean
  /** Whether name and values come from the runbook. */
  code: boolean
  note?: string
}

type Text = string | null

function row(name: string, left: Text, right: Text, code = false): CompareRow {
  return { name, texts: [left, right], differs: left !== right, code }
}

/** What stands for a value that only the other run has. */
export function absentText({ code }: Pick<CompareRow, 'code'>): string {
  return code ? 'Not set' : 'None'
}

export function factRows(a: WholeRun, b: WholeRun): CompareRow[] {
  const code = (run: WholeRun) => exitCodeOf(run)?.toString() ?? null
  const time = (run: WholeRun) => (run.started_at ? formatTime(run.started_at) : null)
  const kind = (run: WholeRun) =>
    capital([run.dry_run ? 'dry run' : '', run.relation ?? ''].filter(Boolean).join(', ')) || 'Run'
  const isPlain = kind(a) === 'Run' && kind(b) === 'Run'
  const rows = [
    row('Exit code', code(a), code(b)),
    durationRow(a, b),
    // Different start times are expected.
    { ...row('Started', time(a), time(b)), differs: false },
    row('Requested by', `${a.by} via ${a.origin}`, `${b.by} via ${b.origin}`),
    // Two ordinary runs need no kind.
    ...(isPlain ? [] : [row('Kind', kind(a), kind(b))]),
    row('Reason', a.reason, b.reason),
    row('Errors', a.errors.join('\n') || null, b.errors.join('\n') || null),
    row('Warnings', a.warnings.join('\n') || null, b.warnings.join('\n') || null),
    row('Output lines', String(a.log_lines), String(b.log_lines)),
  ]
  return rows.filter(({ texts }) => texts[0] !== null || texts[1] !== null)
}

/** Durations always differ a little: only a large gap counts. */
function durationRow(a: WholeRun, b: WholeRun): CompareRow {
  const text = (run: WholeRun) => (run.duration_ms === null ? null : formatDuration(run.duration_ms))
  const gap = gapOf(a.duration_ms, b.duration_ms)
  return { ...row('Duration', text(a), text(b)), differs: gap?.isLarge ?? false, ...(gap && { note: gap.text }) }
}

interface Gap {
  text: string
  isLarge: boolean
}

function gapOf(left: number | null, right: number | null): Gap | null {
  if (left === null || right === null) return null
  const gap = Math.abs(right - left)
  const text = `${formatDuration(gap)} ${right >= left ? 'longer' : 'shorter'}`
  return { text, isLarge: gap > 1000 && gap > Math.min(left, right) / 2 }
}

export function stepRows(a: WholeRun, b: WholeRun): CompareRow[] {
  const texts = (run: WholeRun) => run.steps.map((step): [string, string] => [step.name, resultText(step)])
  return both(texts(a), texts(b), false).map((compared) => {
    const [left, right] = [a, b].map((run) => lastedMs(run.steps.find((step) => step.name === compared.name)))
    const gap = gapOf(left ?? null, right ?? null)
    const timed = (at: 0 | 1, ms: number | null | undefined) => {
      const text = compared.texts[at]
      return text === null || ms === null || ms === undefined ? text : `${text}, ${formatDuration(ms)}`
    }
    return {
      ...compared,
      texts: [timed(0, left), timed(1, right)],
      differs: compared.differs || (gap?.isLarge ?? false),
      ...(gap?.isLarge && { note: gap.text }),
    }
  })
}

type Step = WholeRun['steps'][number]

function resultText(step: Step): string {
  const label = (STATUS as Record<string, { label: string }>)[step.status]?.label ?? capital(step.status)
  const isCode = step.return_code !== null && step.return_code !== 0
  return isCode ? `${label}, exit code ${step.return_code}` : label
}

/** How long a step took; null if it did not run, or still runs. */
function lastedMs(step: Step | undefined): number | null {
  if (!step?.finished_at || step.attempts === 0) return null
  return Math.max(0, Date.parse(step.finished_at) - Date.parse(step.started_at))
}

/** Values that are not stored, such as secrets, show only that they were set. */
export function inputRows(a: WholeRun, b: WholeRun): CompareRow[] {
  const texts = (run: WholeRun) =>
    Object.entries(run.inputs).map(([name, input]): [string, string] => [
      name,
      'value' in input ? plain(input.value) : 'set, not stored',
    ])
  return both(texts(a), texts(b))
}

export function outputRows(a: WholeRun, b: WholeRun): CompareRow[] {
  const texts = (run: WholeRun) =>
    Object.entries(run.outputs).map(([name, value]): [string, string] => [name, plain(value)])
  return both(texts(a), texts(b))
}

function plain(value: unknown): string {
  return typeof value === 'string' ? rowLines(value) : JSON.stringify(value)
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}

function both(left: [string, string][], right: [string, string][], code = true): CompareRow[] {
  const [a, b] = [new Map(left), new Map(right)]
  const names = [...new Set([...a.keys(), ...b.keys()])]
  return names.map((name) => row(name, a.get(name) ?? null, b.get(name) ?? null, code))
}
