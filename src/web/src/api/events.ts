import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { authorizedFetch, type Schemas } from './client'
import { whileShown } from '@/shared/page/visibility'
import { ApiError, errorOf } from './problem'

/** An event of a run, with extra fields that depend on its type. */
export type RunEvent = Schemas['Event'] & Record<string, unknown>

/** `lost`: reconnecting; `ended`: complete. */
export type StreamState = 'connecting' | 'open' | 'lost' | 'ended'

export interface StreamHandlers {
  onMessage: (message: EventSourceMessage) => void
  onState: (state: StreamState) => void
  /** A permanent error: the stream is not reopened. */
  onError: (error: ApiError) => void
  /** Whether the stream is complete once the server closes it. */
  isComplete: () => boolean
}

const FIRST_RETRY_MS = 1_000
const MAX_RETRY_MS = 15_000
/** The server sends at least a comment every 15 s: after this silence the connection counts as lost. */
const SILENCE_MS = 40_000

/**
 * Reads server-sent events with the token, which EventSource cannot send. Reconnects after the
 * last id when the connection is lost, so that no event is missed or repeated. A hidden tab
 * closes its connection, since a browser allows six per server. Stops when `signal` aborts.
 */
export async function readStream(
  url: string,
  handlers: StreamHandlers,
  signal: AbortSignal,
): Promise<void> {
  const position: Position = { lastId: '', retry: FIRST_RETRY_MS, failures: 0 }
  handlers.onState('connecting')
  while (!signal.aborted) {
    try {
      const isHidden = await whileShown(signal, (until) => readOnce(url, position, handlers, until))
      if (handlers.isComplete()) return handlers.onState('ended')
      if (isHidden) continue
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof ApiError && !error.passing) return handlers.onError(error)
    }
    handlers.onState('lost')
    await pause(Math.min(position.retry * 2 ** position.failures, MAX_RETRY_MS), signal)
    position.failures += 1
  }
}

interface Position {
  lastId: string
  retry: number
  failures: number
}

async function readOnce(
  url: string,
  position: Position,
  handlers: StreamHandlers,
  signal: AbortSignal,
): Promise<void> {
  const headers: Record<string, string> = { Accept: 'text/event-stream' }
  if (position.lastId) headers['Last-Event-ID'] = position.lastId
  const address = new URL(url, location.origin)
  const watch = watched(signal)
  try {
    const response = await authorizedFetch(new Request(address, { headers, signal: watch.signal }))
    // 204: the run is over, and there is nothing after the last id.
    if (!response.ok || (response.body === null && response.status !== 204)) throw await errorOf(response)
    position.failures = 0
    handlers.onState('open')
    if (response.body !== null) await readBody(response.body, position, handlers, watch.heard)
  } finally {
    watch.end()
  }
}

async function readBody(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  position: Position,
  handlers: StreamHandlers,
  heard: () => void,
): Promise<void> {
  const parser = createParser({
    onRetry: (ms) => (position.retry = ms),
    onEvent: (message) => {
      position.lastId = message.id ?? position.lastId
      handlers.onMessage(message)
    },
  })
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    heard()
    parser.feed(value)
  }
}

/** A signal that aborts with `signal`, after a long silence, or when the network goes down. */
function watched(signal: AbortSignal) {
  const lost = new AbortController()
  const lose = () => lost.abort()
  let timer = setTimeout(lose, SILENCE_MS)
  addEventListener('offline', lose)
  return {
    signal: AbortSignal.any([signal, lost.signal]),
    heard() {
      clearTimeout(timer)
      timer = setTimeout(lose, SILENCE_MS)
    },
    end() {
      clearTimeout(timer)
      removeEventListener('offline', lose)
    },
  }
}

/** Waits, at most until the network is back. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer)
      removeEventListener('online', finish)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, ms)
    addEventListener('online', finish)
    signal.addEventListener('abort', finish)
  })
}
