/**
 * Plain handlers whose steps survive.
 * Invariant: what a handler changed, sent and answered is seen by nobody before its step is in the store.
 */
import type { Cell } from './cell.js'
import type { AnyHandlers } from './definition.js'
import { DurableMe } from './durable-me.js'
import type { Envelope } from './envelope.js'
import type { HandlerMe } from './handler-me.js'
import { Handlers, type Handler } from './handlers.js'
import { replyEntry, type Ledger } from './ledger.js'
import { STORE_RETRY_MS } from './limits.js'
import type { Message, Spec } from './protocol.js'
import { interrupted } from './replies.js'
import { isStoreFailure } from './store/store.js'

export class DurableHandlers extends Handlers {
  readonly #ledger: Ledger

  constructor(cell: Cell, handlers: AnyHandlers, ledger: Ledger) {
    super(cell, handlers)
    this.#ledger = ledger
  }

  override start(): void {
    this.cell.recover(this.#ledger.recover())
    super.start()
  }

  protected override initial(): unknown {
    return this.#ledger.isNew ? super.initial() : this.#ledger.state
  }

  override handle(envelope: Envelope): void {
    const spec = this.cell.definition.protocol.specs[envelope.type] as Spec
    const me = new DurableMe(this.cell, this, this.#ledger, envelope)
    this.attend(me, envelope, spec, this.#run(me, envelope, spec))
  }

  async #run(me: DurableMe, envelope: Envelope, spec: Spec): Promise<unknown> {
    await envelope.kept
    const again = this.#ledger.again(envelope.entry)
    if (again !== undefined) await again
    let message: Message
    try {
      message = this.cell.open(envelope)
    } catch (error) {
      this.cell.parts.endings.dead(envelope, 'refused', error)
      return undefined
    }
    const answer = (this.handlers.on[envelope.type] as unknown as Handler)(message, me)
    const value = spec.kind === 'stream' ? await this.flow(envelope, spec.chunk, answer) : await answer
    me.run.ended()
    await this.#commit(me, envelope, this.replyOf(envelope, spec, value))
    return value
  }

  /** The state, what was sent to durable actors, the reply to one, and the envelope: one batch. */
  async #commit(me: DurableMe, envelope: Envelope, reply: unknown): Promise<void> {
    const { router, clock, unclaimed } = this.cell.parts
    const { durable, entries } = me.run.lastSent(me.unsent?.envelopes ?? [])
    const outcome = { ok: true, value: reply } as const
    const now = clock.now()
    // A durable asker may be asleep still, after a restart: the reply waits for it in the log.
    const answer = envelope.correlation === 0 || envelope.sequence === 0 ? [] : [replyEntry(envelope.from, envelope.sequence, envelope.correlation, outcome, now)]
    const numbers = await this.#ledger.commit(this.state, [envelope.entry, ...me.run.taken], [...entries, ...answer], { handled: { type: envelope.type, from: envelope.from, body: envelope.body, chart: false } })
    unclaimed.arrived(durable, numbers)
    if (answer.length > 0) router.awake(envelope.from)?.ledger?.replied(envelope.sequence, envelope.correlation, outcome, now)
  }

  /** A stream that was cut off by a crash has no reader any more; what was accepted is done all the same. */
  protected override async flow(envelope: Envelope, schema: Parameters<Handlers['flow']>[1], source: unknown): Promise<void> {
    const { replies, dispatcher } = this.cell.parts
    if (replies.get(envelope.correlation)?.channel !== undefined) return super.flow(envelope, schema, source)
    for await (const _ of source as AsyncIterable<unknown>) await dispatcher.breathe()
  }

  protected override failed(me: HandlerMe, envelope: Envelope, error: unknown): void {
    // What the handler changed in memory never was.
    this.state = this.#ledger.isNew ? super.initial() : this.#ledger.state
    this.#breakOff(envelope, error)
    const { run } = me as DurableMe
    run.letGo()
    if (!isStoreFailure(error)) {
      this.#ledger.failed(envelope.entry, run.failedWith(error))
      return super.failed(me, envelope, error)
    }
    // Nobody's fault but the disk's: the envelope keeps its place until there is room.
    me.letGo()
    const taken = run.takenInVain
    for (const each of taken) each.ending = 'waiting'
    this.cell.recover(taken)
    this.cell.pauseFor(STORE_RETRY_MS, envelope)
  }

  /** The next try begins anew: a reader who has seen a part of this one is told so, and not given it twice. */
  #breakOff(envelope: Envelope, error: unknown): void {
    const { replies } = this.cell.parts
    if (replies.get(envelope.correlation)?.channel?.begun === true) replies.fail(envelope.correlation, interrupted(envelope, 'its handler failed and begins anew', error))
  }
}
