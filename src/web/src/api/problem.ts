export interface ProblemBody {
  title?: string
  status?: number
  detail?: string
  code?: string
  error?: string
  errors?: unknown[]
  correlation_id?: string
  /** How a runbook was changed, where that stands in the way. */
  diff?: string
  /** Of the runbook as it is, where another one was named. */
  current_digest?: string
}

/** What the headers of a refusal say. */
interface ReplyFacts {
  correlationId?: string | null
  waitMs?: number | null
}

/** The server's refusal, or the failure to reach it (`status` 0). */
export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly correlationId: string | null
  readonly errors: string[]
  readonly diff: string | null
  /** Whether what was read is not what would be executed. */
  readonly isUnread: boolean
  /** For how long the server does not want to be asked again. */
  readonly waitMs: number | null

  constructor(status: number, body: ProblemBody, { correlationId, waitMs }: ReplyFacts = {}) {
    super(body.detail ?? body.error ?? `The server answered ${status}.`)
    this.name = 'ApiError'
    this.status = status
    this.code = body.code ?? 'error'
    this.title = body.title ?? 'Something went wrong'
    this.correlationId = body.correlation_id ?? correlationId ?? null
    this.waitMs = waitMs ?? null
    this.diff = body.diff ?? null
    this.isUnread = body.code === 'document_changed' && body.current_digest !== undefined
    this.errors = (body.errors ?? []).map(errorText)
  }

  /** Whether trying the same again may help. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

function errorText(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message)
  return String(error)
}

export function unreachable(): ApiError {
  return new ApiError(0, {
    title: 'The server cannot be reached',
    detail: 'Nothing was lost: runs go on without this page.',
    code: 'unreachable',
  })
}

export function silent(seconds: number): ApiError {
  return new ApiError(0, {
    title: 'The server does not answer',
    detail: `It has not answered for ${seconds} s. What was asked of it may yet happen.`,
    code: 'unreachable',
  })
}

/** The error of a reply that is not ok, whatever its body is. */
export async function errorOf(response: Response): Promise<ApiError> {
  let body: ProblemBody = {}
  try {
    body = (await response.clone().json()) as ProblemBody
  } catch {
    // A proxy between may answer with a page of its own.
  }
  const seconds = Number(response.headers.get('Retry-After') ?? Number.NaN)
  return new ApiError(response.status, body, {
    correlationId: response.headers.get('X-Correlation-Id'),
    waitMs: Number.isFinite(seconds) ? seconds * 1000 : null,
  })
}

const ADVICE: Record<number, string> = {
  0: 'Check the network, and whether the server is running; then try again.',
  401: 'Sign in again.',
  403: 'Ask whoever gives out roles for the claims that are missing, or sign in as someone else.',
  404: 'It may have been moved or removed, or you may not see it.',
  409: 'Reload to see how things are now.',
  429: 'Too much was asked for in a short time. Wait a moment, then try again.',
  503: 'The server is busy or starting. Wait a moment, then try again.',
}

/** What to do about it. */
export function adviceFor(error: ApiError): string {
  return (
    ADVICE[error.status] ??
    (error.status >= 500
      ? "The server's log says why under the correlation id: give it to whoever runs the server."
      : 'Correct what is named, then try again.')
  )
}
