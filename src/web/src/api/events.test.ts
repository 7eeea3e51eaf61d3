import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { readStream, type StreamState } from './events'

const encoder = new TextEncoder()
let requests: Request[]

/** A server that answers with these, one after the other. */
function serve(...replies: ((request: Request) => Response)[]) {
  requests = []
  vi.stubGlobal('fetch', (request: Request) => {
    requests.push(request)
    const reply = replies[requests.length - 1]
    return reply ? Promise.resolve(reply(request)) : Promise.reject(new TypeError('no more'))
  })
}

function stream(...pieces: string[]): () => Response {
  return () =>
    new Response(
      new ReadableStream({
        start(controller) {
          for (const piece of pieces) controller.enqueue(encoder.encode(piece))
          controller.close()
        },
      }),
    )
}

/** One that does not end before it is broken off. */
function endless(text: string) {
  return ({ signal }: Request) =>
    new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(encoder.encode(text))
          signal.addEventListener('abort', () => controller.error(signal.reason))
        },
      }),
    )
}

async function read({ untilDone = true } = {}) {
  const texts: string[] = []
  const states: StreamState[] = []
  const onError = vi.fn()
  const abort = new AbortController()
  const reading = readStream(
    '/api/runs/1/events',
    {
      onMessage: (message) => texts.push(message.data),
      onState: (state) => states.push(state),
      onError,
      isComplete: () => texts.includes('end'),
    },
    abort.signal,
  )
  if (untilDone) await vi.runAllTimersAsync()
  await reading
  return { texts, states, onError }
}

beforeEach(() => vi.useFakeTimers())
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

it('reads events that come in pieces, until the last one', async () => {
  serve(stream('id: 1\ndata: o', 'ne\n\nid: 2\ndata: end\n\n'))
  const { texts, states } = await read()
  expect(texts).toEqual(['one', 'end'])
  expect(states).toEqual(['connecting', 'open', 'ended'])
})

it('goes on after the last id when the connection is lost', async () => {
  serve(stream('retry: 5\n\nid: 7\ndata: one\n\n'), stream('id: 8\ndata: end\n\n'))
  const { texts, states } = await read()
  expect(texts).toEqual(['one', 'end'])
  expect(states).toEqual(['connecting', 'open', 'lost', 'open', 'ended'])
  expect(requests.map((request) => request.headers.get('Last-Event-ID'))).toEqual([null, '7'])
})

it('tries again while the server is away', async () => {
  serve(() => new Response('', { status: 503 }), stream('id: 1\ndata: end\n\n'))
  expect((await read()).states).toEqual(['connecting', 'lost', 'open', 'ended'])
})

it('ends where the run is over and nothing is left to send', async () => {
  serve(stream('id: 7\ndata: end\n'), () => new Response(null, { status: 204 }), stream('id: 8\ndata: end\n\n'))
  const { onError, states } = await read()
  expect(onError).not.toHaveBeenCalled()
  expect(states).toEqual(['connecting', 'open', 'lost', 'open', 'lost', 'open', 'ended'])
})

it('gives up where it is refused', async () => {
  serve(() => Response.json({ code: 'not_found' }, { status: 404 }))
  const { onError, states } = await read()
  expect(onError).toHaveBeenCalledWith(expect.objectContaining({ status: 404 }))
  expect(states).toEqual(['connecting'])
  expect(requests).toHaveLength(1)
})

it('keeps no connection while the tab is hidden, and goes on where it was', async () => {
  const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true)
  const show = (value: boolean) => {
    hidden.mockReturnValue(value)
    document.dispatchEvent(new Event('visibilitychange'))
  }
  serve(endless('id: 1\ndata: one\n\n'), stream('id: 2\ndata: end\n\n'))
  const reading = read({ untilDone: false })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(requests).toHaveLength(0)
  show(false)
  await vi.advanceTimersByTimeAsync(0)
  expect(requests).toHaveLength(1)
  show(true)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(requests[0]?.signal.aborted).toBe(true)
  expect(requests).toHaveLength(1)
  show(false)
  const { texts, states } = await reading
  expect(texts).toEqual(['one', 'end'])
  expect(states).toEqual(['connecting', 'open', 'open', 'ended'])
  expect(requests[1]?.headers.get('Last-Event-ID')).toBe('1')
})

it('takes a stream for lost where nothing is heard of the server, or the network is gone', async () => {
  serve(endless('id: 1\ndata: one\n\n'), endless(': here\n\n'), stream('id: 2\ndata: end\n\n'))
  const reading = read({ untilDone: false })
  await vi.advanceTimersByTimeAsync(39_000)
  expect(requests).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(3_000)
  expect(requests).toHaveLength(2)
  dispatchEvent(new Event('offline'))
  await vi.advanceTimersByTimeAsync(0)
  dispatchEvent(new Event('online'))
  const { texts, states } = await reading
  expect(texts).toEqual(['one', 'end'])
  expect(states).toEqual(['connecting', 'open', 'lost', 'open', 'lost', 'open', 'ended'])
})
