/** The values of a JSON Lines stream, in batches as they arrive. */
export async function* readRows<T>(body: ReadableStream<Uint8Array>): AsyncGenerator<T[]> {
  const reader = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    const lines = (rest + value).split('\n')
    rest = lines.pop() ?? ''
    if (lines.length) yield lines.map((line) => JSON.parse(line) as T)
  }
  if (rest) yield [JSON.parse(rest) as T]
}
