/** What a durable handler holds: the same as any, with each effect recorded before its result is seen. */
import type { Cell } from './cell.js'
import { DurableRun } from './durable-run.js'
import type { Inference, InferOptions } from './effects.js'
import { ofLife, type CancelReason, type Envelope } from './envelope.js'
import { HandlerMe, type HandlerHost } from './handler-me.js'
import type { Ledger } from './ledger.js'
import type { Outbox } from './outbox.js'
import { patience } from './post.js'
import type { Message } from './protocol.js'
import type { Receiver } from './receiver.js'
import type { AskOptions, Ref } from './ref.js'

/** What a durable handler's behaviour lends to it. */
export interface DurableHost extends HandlerHost {
  /** One more wait of this handler has begun. */
  waiting(me: DurableMe): void
}

export class DurableMe extends HandlerMe {
  readonly #durableCell: Cell
  readonly #host: DurableHost
  readonly #ledger: Ledger
  #run: DurableRun | undefined
  /** Where a wait for an event stands among the effects: there is one at a time. */
  #waitAt = 0

  constructor(cell: Cell, host: DurableHost, ledger: Ledger, envelope: Envelope) {
    super(cell, host, envelope)
    this.#durableCell = cell
    this.#host = host
    this.#ledger = ledger
  }

  /** What it has on record; looked up when its handler begins, and not before. */
  get run(): DurableRun {
    if (this.#run !== undefined) return this.#run
    this.#run = new DurableRun(this.#durableCell, this.#ledger, this.handling as Envelope)
    if (this.cancelReason !== undefined && ofLife(this.cancelReason)) this.#run.leave()
    return this.#run
  }

  override get clock(): { now(): number } {
    return this.run
  }

  override random(): number {
    return this.run.random()
  }

  override changed = (name: string): boolean => this.run.isChanged(name)

  override infer(task: string, model: string, input: unknown, options: InferOptions = {}): Inference {
    return this.run.infer(`${task} ${model}`, input, () => super.infer(task, model, input, options))
  }

  protected override send(envelopes: readonly Envelope[]): void {
    super.send(envelopes.filter(() => !this.run.hasLeft()))
  }

  protected override effect<T>(kind: string, detail: string, input: unknown, run: (at: number) => Promise<T>): Promise<T> {
    return this.run.effect(`${kind} ${detail}`, input, (at) => {
      if (kind === 'waitFor') this.#waitAt = at
      return this.afterSegment(() => run(at))
    })
  }

  protected override async leave(outbox: Outbox): Promise<void> {
    await this.run.keepSent(outbox.envelopes)
    return super.leave(outbox)
  }

  protected override async askNow(to: Ref, message: Message, options: AskOptions | undefined, at: number): Promise<unknown> {
    const { unclaimed, clock } = this.#durableCell.parts
    const until = await this.run.askUntil(at, patience(options))
    if (unclaimed.isAwaited(to.address)) await unclaimed.taken(to.address, Math.max(0, until - clock.now()), this.signal)
    const { address, cause } = this
    const sender = { address, cause, asker: this, mayAsk: (cell: Receiver, type: string) => this.mayAsk(cell, type) }
    return this.#durableCell.parts.post.ask(to, message, options, this.run.asking(sender, at, { to: to.address, message, until }))
  }

  protected override dueAt(ms: number, at: number): Promise<number> {
    return this.run.dueAt(at, ms)
  }

  protected override waiting(): void {
    this.#host.waiting(this)
  }

  /** Whether it waits for time or mail and for nothing else, so that nothing is lost when it leaves memory; and until when. */
  get waitsUntil(): number | undefined {
    const waits = this.waits?.size ?? 0
    const isQuiet = waits > 0 && waits === this.#host.pending && waits === this.run.underWay && !this.hasSent && !this.stopAfter && this.cancelReason === undefined
    return isQuiet ? this.waits?.until : undefined
  }

  override cancel(reason: CancelReason): void {
    // What is on record is looked up now: mail that is called off is dealt with, and forgotten.
    const { run } = this
    if (ofLife(reason)) run.leave()
    super.cancel(reason)
  }

  protected override tookAside(envelope: Envelope): void {
    this.run.took(this.#waitAt, envelope)
    // Mail that could not be logged has been refused: nobody has handled it.
    void Promise.resolve().then(() => envelope.kept).then(() => super.tookAside(envelope), () => {})
  }
}
