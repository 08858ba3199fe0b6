/** One effect that a chart invoked, while it runs: `ask`, `infer`, `stepOnce`, `streamOnce`. */
import { asTroupeError, type TroupeError } from '../ground/errors.js'
import type { Cell } from './cell.js'
import type { CancelReason, Cause } from './envelope.js'
import type { DurableRun } from './durable-run.js'
import type { Inference } from './effects.js'
import { runInference } from './inference.js'
import { STORE_RETRY_MS } from './limits.js'
import type { InvokedEffect, Work } from './machine-effects.js'
import { patience, type Sender } from './post.js'
import { check, type Message } from './protocol.js'
import type { AskOptions, Ref } from './ref.js'
import { cancelled, interrupted, isShutdown, type OpenAsk } from './replies.js'
import { isStoreFailure } from './store/store.js'
import { flow } from './streams.js'

export type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown }

export class EffectRun {
  readonly #cell: Cell
  readonly #effect: InvokedEffect
  readonly #id: string
  readonly #cause: Cause | undefined
  readonly #told: (outcome: Outcome) => void
  /** What it had before a crash, and where its results go, when the actor is durable. */
  #durable: DurableRun | undefined
  readonly #runOf: () => DurableRun | undefined
  readonly #asks = new Set<OpenAsk>()
  #abort: AbortController | undefined
  /** The ask whose reader gets the chunks, until it has its end. */
  #reader = 0
  /** The ask that it works for. */
  #asker = 0
  #cancelled: CancelReason | undefined

  constructor(cell: Cell, effect: InvokedEffect, id: string, cause: Cause | undefined, told: (outcome: Outcome) => void, run: () => DurableRun | undefined) {
    this.#cell = cell
    this.#effect = effect
    this.#id = id
    this.#cause = cause
    this.#told = told
    this.#runOf = run
    this.#durable = run()
  }

  /** Begins once the step that invoked it has committed. */
  start(input: unknown): void {
    this.#reader = this.#effect.into?.(input)?.ask ?? 0
    this.#asker = this.#effect.for?.(input)?.ask ?? 0
    queueMicrotask(() => this.#begin(input))
  }

  #begin(input: unknown): void {
    if (this.#cancelled !== undefined) return
    const work = (): Promise<unknown> => this.#run(input)
    const outcome = this.#durable === undefined ? work() : this.#durable.once(this.#effect.name, work)
    outcome.then(
      (value) => this.#told({ ok: true, value }),
      (error: unknown) => {
        // The next process goes on with it.
        if (this.#durable !== undefined && isShutdown(error)) return
        if (this.#durable === undefined || !isStoreFailure(error)) return this.#told({ ok: false, error })
        // Nobody's fault but the disk's: it goes on with what it has on record once there is room.
        this.#cell.parts.clock.timer(STORE_RETRY_MS, () => {
          this.#durable = this.#runOf()
          this.#begin(input)
        })
      },
    )
  }

  async #run(input: unknown): Promise<unknown> {
    const { into, run } = this.#effect
    return into === undefined ? run(input, this.#work()) : this.#stream(this.#reader, run(input, this.#work()) as AsyncGenerator)
  }

  async #stream(ask: number, chunks: AsyncGenerator): Promise<unknown> {
    const { parts, definition } = this.#cell
    const { channel, envelope } = parts.replies.get(ask) ?? {}
    // The reader may have left before the effect began; then nobody wants it.
    if (channel === undefined || envelope === undefined) throw this.#why('reader-left')
    const spec = parts.checked ? definition.protocol.specs[envelope.type] : undefined
    const checkChunk = spec?.kind === 'stream' ? (chunk: unknown) => check(spec.chunk, chunk, `a chunk of ${envelope.type}`) : () => {}
    try {
      const output = await flow(chunks, channel, checkChunk)
      if (this.#cancelled !== undefined) throw this.#why(this.#cancelled)
      this.#reader = 0
      parts.replies.reply(ask, undefined)
      return output
    } catch (error) {
      this.#reader = 0
      parts.replies.fail(ask, asTroupeError(error))
      throw error
    }
  }

  #work(): Work {
    const { parts, address, definition } = this.#cell
    const sender: Sender = {
      address,
      cause: this.#cause,
      asker: { opened: (ask) => this.#opened(ask), closed: (ask) => void this.#asks.delete(ask) },
    }
    const signalOf = (): AbortSignal => this.#signal
    return {
      get signal() {
        return signalOf()
      },
      idempotencyKey: `${address}/${this.#id}/${this.#effect.name}`,
      clock: { now: () => parts.clock.now() },
      ask: (to, message, options) => this.#ask(parts.ref(to.protocol, to.address), message, options, sender) as Promise<never>,
      stream: (to, message) => parts.post.stream(parts.ref(to.protocol, to.address) as never, message, {}, sender) as AsyncIterableIterator<never>,
      infer: (task, model, input, options = {}) => {
        const signal = options.signal === undefined ? this.#signal : AbortSignal.any([this.#signal, options.signal])
        const begin = (): Inference => runInference(this.#wanted(() => parts.kernels(definition)), task, model, input, { ...options, clock: parts.clock, signal })
        return (this.#durable === undefined ? begin() : this.#durable.infer(`${task} ${model}`, input, begin)) as never
      },
    }
  }

  #ask(to: Ref, message: Message, options: AskOptions | undefined, sender: Sender): Promise<unknown> {
    const { post, unclaimed, clock } = this.#cell.parts
    const durable = this.#durable
    if (durable === undefined) return this.#wanted(() => post.ask(to, message, options, sender))
    return durable.effect(`ask ${to.address}`, message, async (at) => {
      const until = await durable.askUntil(at, patience(options))
      if (unclaimed.isAwaited(to.address)) await unclaimed.taken(to.address, Math.max(0, until - clock.now()), this.#signal)
      return this.#wanted(() => post.ask(to, message, options, durable.asking(sender, at, { to: to.address, message, until })))
    })
  }

  /** Made on demand: most effects never look. */
  get #signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#cancelled !== undefined && !this.#abort.signal.aborted) this.#abort.abort(this.#why(this.#cancelled))
    return this.#abort.signal
  }

  #why(reason: CancelReason): TroupeError {
    return cancelled(this.#effect.name, this.#cell.address, reason)
  }

  async #wanted<T>(effect: () => Promise<T>): Promise<T> {
    if (this.#cancelled !== undefined) throw this.#why(this.#cancelled)
    return effect()
  }

  #opened(ask: OpenAsk): void {
    this.#asks.add(ask)
    // A stream is opened without a look whether it is still wanted.
    if (this.#cancelled !== undefined) queueMicrotask(() => this.#cell.parts.replies.cancel(ask.envelope.id, this.#cancelled ?? 'caller'))
  }

  /** The ask is settled by another: when it was this effect's reader, or the one it works for, nobody wants the rest. */
  settled(ask: number): void {
    if (ask === 0) return
    if (ask === this.#reader) this.cancel('reader-left')
    else if (ask === this.#asker) this.cancel('caller')
  }

  /** Its signal fires, what it asked for is called off, and its reader is told that no more will come. */
  cancel(reason: CancelReason): void {
    if (this.#cancelled !== undefined) return
    this.#cancelled = reason
    const { replies } = this.#cell.parts
    this.#abort?.abort(this.#why(reason))
    for (const ask of this.#asks) replies.cancel(ask.envelope.id, reason)
    const reader = replies.get(this.#reader)
    if (reader !== undefined) replies.fail(this.#reader, interrupted(reader.envelope, 'its actor left the state that was streaming', this.#why(reason)))
  }
}
