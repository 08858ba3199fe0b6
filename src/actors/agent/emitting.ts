/** Work that tells of itself while it runs, as a generator: what it emits, then what it gives. */
export async function* emitting<Chunk, Result>(work: (emit: (chunk: Chunk) => void) => Promise<Result>): AsyncGenerator<Chunk, Result> {
  const chunks: Chunk[] = []
  let wake: () => void = () => {}
  let ended = false
  const result = work((chunk) => {
    chunks.push(chunk)
    wake()
  }).finally(() => {
    ended = true
    wake()
  })
  // Whoever leaves before the end hears no more of it.
  result.catch(() => undefined)
  for (;;) {
    for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) yield chunk
    if (ended) return await result
    await new Promise<void>((resolve) => (wake = resolve))
  }
}
