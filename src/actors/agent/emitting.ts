import { CHUNKS_AHEAD_MAX } from './limits.js'

export interface Emitter<Chunk> {
  readonly emit: (chunk: Chunk) => void
  /** Resolves once the reader has caught up; at once when there is none any more. */
  readonly room: () => Promise<void>
}

/** Work that tells of itself while it runs, as a generator: what it emits, then what it gives. */
export async function* emitting<Chunk, Result>(work: (emitter: Emitter<Chunk>) => Promise<Result>): AsyncGenerator<Chunk, Result> {
  const chunks: Chunk[] = []
  const waiting: (() => void)[] = []
  let wake: () => void = () => {}
  let [ended, left] = [false, false]
  const emit = (chunk: Chunk): void => {
    chunks.push(chunk)
    wake()
  }
  const room = (): Promise<void> => (left || chunks.length < CHUNKS_AHEAD_MAX ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve)))
  const caughtUp = (): void => {
    for (const go of waiting.splice(0)) go()
  }
  const result = work({ emit, room }).finally(() => {
    ended = true
    wake()
  })
  // Whoever leaves before the end hears no more of it.
  result.catch(() => undefined)
  try {
    for (;;) {
      for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) yield chunk
      caughtUp()
      if (ended) return await result
      await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    left = true
    caughtUp()
  }
}
