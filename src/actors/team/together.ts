/** Several generators as one: what any of them yields, as it comes. */

type Start<T, R> = (signal: AbortSignal) => AsyncGenerator<T, R>

/**
 * Runs them, at most `atOnce` at a time, and returns what they returned, in their order. When one throws, or the reader
 * leaves, the others are called off by their signal, and have ended when this has.
 */
export async function* together<T, R>(starts: readonly Start<T, R>[], atOnce = starts.length): AsyncGenerator<T, R[]> {
  const off = new AbortController()
  const results: R[] = []
  const running = new Map<number, { readonly generator: AsyncGenerator<T, R>; step: Promise<{ readonly at: number; readonly result: IteratorResult<T, R> }> }>()
  const step = (at: number, generator: AsyncGenerator<T, R>) => generator.next().then((result) => ({ at, result }))
  let begun = 0
  const fill = (): void => {
    for (; begun < starts.length && running.size < atOnce; begun++) {
      const generator = (starts[begun] as Start<T, R>)(off.signal)
      running.set(begun, { generator, step: step(begun, generator) })
    }
  }
  try {
    for (fill(); running.size > 0; fill()) {
      const { at, result } = await Promise.race([...running.values()].map((each) => each.step))
      const one = running.get(at)
      if (result.done === true) {
        results[at] = result.value
        running.delete(at)
      } else if (one !== undefined) {
        one.step = step(at, one.generator)
        yield result.value
      }
    }
    return results
  } finally {
    off.abort('caller')
    await Promise.allSettled([...running.values()].map(({ step, generator }) => step.then(() => generator.return(undefined as R))))
  }
}
