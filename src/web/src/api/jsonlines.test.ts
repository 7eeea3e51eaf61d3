import { describe, expect, it } from 'vitest'
import { readRows } from './jsonlines'

function bodyOf(...chunks: (string | Uint8Array)[]) {
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      for (const chunk of chunks) {
        controller.enqueue(typeof chunk === 'string' ? encoder.encode(chunk) : new Uint8Array(chunk))
      }
      controller.close()
    },
  })
}

async function rowsOf(...chunks: (string | Uint8Array)[]) {
  const found: unknown[][] = []
  for await (const rows of readRows<unknown>(bodyOf(...chunks))) found.push(rows)
  return found
}

describe('readRows', () => {
  it('gives the rows as they come', async () => {
    expect(await rowsOf('1\n2\n', '3\n')).toEqual([[1, 2], [3]])
  })
  it('joins what was cut, also within a character', async () => {
    const bytes = new TextEncoder().encode('{"a":"é"}\n')
    expect(await rowsOf(bytes.slice(0, 7), bytes.slice(7))).toEqual([[{ a: 'é' }]])
    expect(await rowsOf('1', '2', '\n3')).toEqual([[12], [3]])
  })
  it('gives nothing of an empty body', async () => {
    expect(await rowsOf()).toEqual([])
    expect(await rowsOf('')).toEqual([])
  })
})
