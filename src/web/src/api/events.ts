import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { authorizedFetch, type Schemas } from './client'
import { whileShown } from '@/shared/page/visibility'
import { ApiError, errorOf } from './problem'

/** One thing that happened in a run; what belongs to its type stands beside. */
export type RunEvent = Schemas['Event'] & Record<string, unknown>

/** `lost` is a stream that is being opened again; `ended` one that needs no more. */
export type StreamState = 'connecting' | 'open' | 'lost' | 'ended'

export interface StreamHandlers {
  onMessage: (message: EventSourceMessage) => void
  onState: (state: StreamState) => void
  /** A refusal: the stream is not tried again. */
  onError: (error: ApiError) => void
  /** Whether nothing more is to come once the server ends the stream. */
  isComplete: () => boolean
}

const FIRST_RETRY_MS = 1_000
const MAX_RETRY_MS = 15_000
/** The server says something every 15 s, if only that it is there: after this the connection is lost. */
const SILENCE_MS = 40_000

/**
 * Reads server-sent events with the token, which EventSource cannot send, and goes on after
 * the last id when the connection is lost: nothing is missed and nothing comes twice.
 * A tab that nobody looks at keeps no connection, since a browser has six for one server.
 * Ends with `signal`.
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
    if (!response.ok || response.body === null) throw await errorOf(response)
    position.failures = 0
    handlers.onState('open')
    await readBody(response.body, position, handlers, watch.heard)
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

/** A signal that ends with `signal`, and where nothing is heard for long or the network is gone. */
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

/** Waits, but no longer than until the network is back. */
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
