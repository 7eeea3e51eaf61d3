import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { authorizedFetch, type Schemas } from './client'
import { whileShown } from '@/shared/visibility'
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
  const place: Place = { lastId: '', retry: FIRST_RETRY_MS, failures: 0 }
  handlers.onState('connecting')
  while (!signal.aborted) {
    try {
      const isHidden = await whileShown(signal, (until) => readOnce(url, place, handlers, until))
      if (handlers.isComplete()) return handlers.onState('ended')
      if (isHidden) continue
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof ApiError && !error.passing) return handlers.onError(error)
    }
    handlers.onState('lost')
    await pause(Math.min(place.retry * 2 ** place.failures, MAX_RETRY_MS), signal)
    place.failures += 1
  }
}

interface Place {
  lastId: string
  retry: number
  failures: number
}

async function readOnce(
  url: string,
  place: Place,
  handlers: StreamHandlers,
  signal: AbortSignal,
): Promise<void> {
  const headers: Record<string, string> = { Accept: 'text/event-stream' }
  if (place.lastId) headers['Last-Event-ID'] = place.lastId
  const address = new URL(url, location.origin)
  const response = await authorizedFetch(new Request(address, { headers, signal }))
  if (!response.ok || response.body === null) throw await errorOf(response)
  place.failures = 0
  handlers.onState('open')
  const parser = createParser({
    onRetry: (ms) => (place.retry = ms),
    onEvent: (message) => {
      place.lastId = message.id ?? place.lastId
      handlers.onMessage(message)
    },
  })
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    parser.feed(value)
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
