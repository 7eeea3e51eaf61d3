import type { WholeRun } from '@/api/runs'
import { STATUS } from '@/shared/status'
import { formatDuration, formatTime } from '@/shared/time/format'

/** One line of the comparison: the same thing of both runs. */
export interface CompareRow {
  name: string
  texts: [string | null, string | null]
  differs: boolean
  /** The name and the values are the runbook's, not ours. */
  code: boolean
  note?: string
}

type Text = string | null

function row(name: string, left: Text, right: Text, code = false): CompareRow {
  return { name, texts: [left, right], differs: left !== right, code }
}

export function factRows(a: WholeRun, b: WholeRun): CompareRow[] {
  const code = (run: WholeRun) => (run.return_code === null ? null : String(run.return_code))
  const time = (run: WholeRun) => (run.started_at ? formatTime(run.started_at) : null)
  const kind = (run: WholeRun) =>
    [run.dry_run ? 'dry run' : '', run.relation ?? ''].filter(Boolean).join(', ') || null
  const rows = [
    row('Return code', code(a), code(b)),
    durationRow(a, b),
    // That they began at different times and wrote other lines is no news.
    { ...row('Started', time(a), time(b)), differs: false },
    row('By', `${a.by} via ${a.origin}`, `${b.by} via ${b.origin}`),
    row('Kind', kind(a), kind(b)),
    row('Reason', a.reason, b.reason),
    row('Errors', a.errors.join('\n') || null, b.errors.join('\n') || null),
    row('Warnings', a.warnings.join('\n') || null, b.warnings.join('\n') || null),
    row('Lines of output', String(a.log_lines), String(b.log_lines)),
  ]
  return rows.filter(({ texts }) => texts[0] !== null || texts[1] !== null)
}

/** No two durations are the same: one that took far longer differs. */
function durationRow(a: WholeRun, b: WholeRun): CompareRow {
  const text = (run: WholeRun) => (run.duration_ms === null ? null : formatDuration(run.duration_ms))
  const [left, right] = [a.duration_ms, b.duration_ms]
  const plain = { ...row('Duration', text(a), text(b)), differs: false }
  if (left === null || right === null) return plain
  const gap = Math.abs(right - left)
  const note = `${formatDuration(gap)} ${right >= left ? 'longer' : 'shorter'}`
  return { ...plain, note, differs: gap > 1000 && gap > Math.min(left, right) / 2 }
}

export function stepRows(a: WholeRun, b: WholeRun): CompareRow[] {
  const texts = (run: WholeRun) =>
    run.steps.map((step): [string, string] => {
      const label = (STATUS as Record<string, { label: string }>)[step.status]?.label ?? capital(step.status)
      const isCode = step.return_code !== null && step.return_code !== 0
      return [step.name, isCode ? `${label}, code ${step.return_code}` : label]
    })
  return both(texts(a), texts(b), false)
}

/** What was not kept of an input, as of a secret, is only known to have been given. */
export function inputRows(a: WholeRun, b: WholeRun): CompareRow[] {
  const texts = (run: WholeRun) =>
    Object.entries(run.inputs).map(([name, input]): [string, string] => [
      name,
      'value' in input ? plain(input.value) : 'given, not kept',
    ])
  return both(texts(a), texts(b))
}

export function outputRows(a: WholeRun, b: WholeRun): CompareRow[] {
  const texts = (run: WholeRun) =>
    Object.entries(run.outputs).map(([name, value]): [string, string] => [name, plain(value)])
  return both(texts(a), texts(b))
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}

function both(left: [string, string][], right: [string, string][], code = true): CompareRow[] {
  const [a, b] = [new Map(left), new Map(right)]
  const names = [...new Set([...a.keys(), ...b.keys()])]
  return names.map((name) => row(name, a.get(name) ?? null, b.get(name) ?? null, code))
}
