/** A stream of our chunks as the AI SDK wants to read it: pulled one at a time, so that a slow reader slows the actor. */
import type { SdkPart, SdkUsage, SdkWarning } from './specification.js'

/** Turns one chunk into parts; what it keeps between chunks is its own. */
export type Telling<Chunk> = (chunk: Chunk) => readonly SdkPart[]

export function partsOf<Chunk>(chunks: AsyncIterator<Chunk>, warnings: SdkWarning[], tell: Telling<Chunk>): ReadableStream<SdkPart> {
  return new ReadableStream<SdkPart>(
    {
      start: (controller) => controller.enqueue({ type: 'stream-start', warnings }),
      pull: async (controller) => {
        try {
          for (;;) {
            const next = await chunks.next()
            if (next.done === true) return controller.close()
            const parts = tell(next.value)
            for (const part of parts) controller.enqueue(part)
            if (parts.length > 0) return
          }
        } catch (error) {
          controller.enqueue({ type: 'error', error })
          controller.close()
        }
      },
      cancel: async () => void (await chunks.return?.()),
    },
    { highWaterMark: 0 },
  )
}

/** Opens and closes the blocks that text and reasoning stand in: the SDK wants each named, begun and ended. */
export class Blocks {
  #open: { readonly kind: 'text' | 'reasoning'; readonly id: string; readonly of: string } | undefined
  #count = 0

  /** `of` keeps speakers apart: another one's words begin another block. */
  say(kind: 'text' | 'reasoning', delta: string, of = ''): SdkPart[] {
    const same = this.#open?.kind === kind && this.#open.of === of
    const before = same ? [] : this.end()
    if (!same) {
      this.#open = { kind, id: String(++this.#count), of }
      before.push({ type: `${kind}-start`, id: this.#open.id })
    }
    return [...before, { type: `${kind}-delta`, id: String(this.#count), delta }]
  }

  end(): SdkPart[] {
    if (this.#open === undefined) return []
    const { kind, id } = this.#open
    this.#open = undefined
    return [{ type: `${kind}-end`, id }]
  }
}

export const usageOf = ({ promptTokens, completionTokens }: { readonly promptTokens: number; readonly completionTokens: number }): SdkUsage => ({
  inputTokens: { total: promptTokens, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: completionTokens, text: undefined, reasoning: undefined },
})
