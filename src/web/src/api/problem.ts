import type { components } from './schema'

type Problem = components['schemas']['ProblemItem']

export interface ProblemBody {
  title?: string
  status?: number
  detail?: string
  code?: string
  error?: string
  errors?: unknown[]
  correlation_id?: string
  /** The diff of a runbook whose change caused the error. */
  diff?: string
  /** The current digest, if the request named another. */
  current_digest?: string
}

/** Facts from the headers of an error response. */
interface ReplyFacts {
  correlationId?: string | null
  waitMs?: number | null
}

/** An error response, or a failure to reach the server (`status` 0). */
export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly correlationId: string | null
  readonly errors: string[]
  /** Those of `errors` that have a code. */
  readonly problems: Problem[]
  readonly diff: string | null
  /** Whether the runbook has changed since the user read it. */
  readonly isUnread: boolean
  /** How long to wait before retrying, from the server. */
  readonly waitMs: number | null
  readonly receivedAt = Date.now()

  constructor(status: number, body: ProblemBody, { correlationId, waitMs }: ReplyFacts = {}) {
    super(body.detail ?? body.error ?? `The server responded with status ${status}.`)
    this.name = 'ApiError'
    this.status = status
    this.code = body.code ?? 'error'
    this.title = body.title ?? 'Something went wrong'
    this.correlationId = body.correlation_id ?? correlationId ?? null
    this.waitMs = waitMs ?? null
    this.diff = body.diff ?? null
    this.isUnread = body.code === 'document_changed' && body.current_digest !== undefined
    this.errors = (body.errors ?? []).map(errorText)
    this.problems = (body.errors ?? []).filter(isProblem)
  }

  /** Whether a retry may help. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

function isProblem(error: unknown): error is Problem {
  return typeof error === 'object' && error !== null && 'code' in error && 'params' in error
}

function errorText(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message)
  return String(error)
}

export function unreachable(): ApiError {
  if (!navigator.onLine) {
    return new ApiError(0, {
      title: "You're offline",
      detail: 'This device has no network. Runs continue without this page, and nothing is lost.',
      code: 'unreachable',
    })
  }
  return new ApiError(0, {
    title: "Can't reach the server",
    detail: 'Runs continue without this page, and nothing is lost.',
    code: 'unreachable',
  })
}

export function silent(seconds: number): ApiError {
  return new ApiError(0, {
    title: 'The server is not responding',
    detail: `No response for ${seconds} s. The server may still process the request.`,
    code: 'unreachable',
  })
}

/** The error for a failed response, whatever its body. */
export async function errorOf(response: Response): Promise<ApiError> {
  let body: ProblemBody = {}
  try {
    body = (await response.clone().json()) as ProblemBody
  } catch {
    // A proxy may respond with an HTML page.
  }
  const seconds = Number(response.headers.get('Retry-After') ?? Number.NaN)
  return new ApiError(response.status, body, {
    correlationId: response.headers.get('X-Correlation-Id'),
    waitMs: Number.isFinite(seconds) ? seconds * 1000 : null,
  })
}

const ADVICE: Record<number, string> = {
  [-1]: 'Try again, or reload the page.',
  0: 'Check your network and that the server is running, then try again.',
  401: 'Sign in again.',
  403: 'Ask an administrator for the missing claims, or sign in as another user.',
  404: "It may have been moved or deleted, or you don't have access to it.",
  409: 'Reload the page to see the current state.',
  429: 'Too many requests. Wait a moment, then try again.',
  503: 'The server is busy or starting. Wait a moment, then try again.',
}

/** What the user can do about an error. */
export function adviceFor(error: ApiError): string {
  return (
    ADVICE[error.status] ??
    (error.status >= 500
      ? "The server's log has the details. Give the correlation ID to your administrator."
      : 'Fix the problem above, then try again.')
  )
}
