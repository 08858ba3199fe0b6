/** One effect that a chart invoked, while it runs: `ask`, `infer`, `stepOnce`, `streamOnce`. */
import type { Cell } from './cell.js'
import type { CancelReason, Envelope } from './envelope.js'
import { runInference } from './inference.js'
import type { InvokedEffect, Work } from './machine-effects.js'
import type { Sender } from './post.js'
import { asTroupeError } from './post.js'
import { cancelled, type OpenAsk } from './replies.js'
import { flow } from './streams.js'

type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown }

export class EffectRun {
  readonly #cell: Cell
  readonly #effect: InvokedEffect
  readonly #id: string
  readonly #cause: Envelope | undefined
  readonly #told: (outcome: Outcome) => void
  readonly #asks = new Set<OpenAsk>()
  #abort: AbortController | undefined
  #cancelled: CancelReason | undefined

  constructor(cell: Cell, effect: InvokedEffect, id: string, cause: Envelope | undefined, told: (outcome: Outcome) => void) {
    this.#cell = cell
    this.#effect = effect
    this.#id = id
    this.#cause = cause
    this.#told = told
  }

  /** Begins once the step that invoked it has committed. */
  start(input: unknown): void {
    queueMicrotask(() => {
      if (this.#cancelled !== undefined) return
      this.#run(input).then(
        (value) => this.#told({ ok: true, value }),
        (error: unknown) => this.#told({ ok: false, error }),
      )
    })
  }

  async #run(input: unknown): Promise<unknown> {
    const result = this.#effect.run(input, this.#work())
    if (this.#effect.into === undefined) return result
    const { parts } = this.#cell
    const { ask } = this.#effect.into(input)
    const channel = parts.replies.get(ask)?.channel
    // The reader may have left before the effect began; then nobody wants it.
    if (channel === undefined) throw cancelled(this.#effect.name, this.#cell.address, 'reader-left')
    try {
      const output = await flow(result as AsyncGenerator, channel, () => {})
      parts.replies.reply(ask, undefined)
      return output
    } catch (error) {
      parts.replies.fail(ask, asTroupeError(error))
      throw error
    }
  }

  #work(): Work {
    const { parts, address, definition } = this.#cell
    // The deadline of the message that led here is not the effect's: a chart may take its time.
    const sender: Sender = {
      address,
      cause: this.#cause === undefined ? undefined : Object.assign(Object.create(this.#cause) as Envelope, { deadline: 0 }),
      asker: { opened: (ask) => void this.#asks.add(ask), closed: (ask) => void this.#asks.delete(ask) },
    }
    const signalOf = (): AbortSignal => (this.#abort ??= new AbortController()).signal
    return {
      get signal() {
        return signalOf()
      },
      idempotencyKey: `${address}/${this.#id}/${this.#effect.name}`,
      ask: (to, message, options) => parts.post.ask(to, message, options, sender) as Promise<never>,
      stream: (to, message) => parts.post.stream(to, message, {}, sender) as AsyncIterable<never>,
      infer: (task, model, input, options = {}) => runInference(parts.kernels(definition), task, model, input, { ...options, signal: options.signal ?? signalOf() }) as never,
    }
  }

  cancel(reason: CancelReason): void {
    if (this.#cancelled !== undefined) return
    this.#cancelled = reason
    this.#abort?.abort(cancelled(this.#effect.name, this.#cell.address, reason))
    for (const ask of this.#asks) this.#cell.parts.replies.cancel(ask.envelope.id, reason)
  }
}
