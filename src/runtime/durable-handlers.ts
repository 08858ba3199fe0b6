/**
 * Plain handlers whose steps survive.
 * Invariant: what a handler changed, sent and answered is seen by nobody before its step is in the store.
 */
import type { TroupeError } from '../ground/errors.js'
import type { Cell } from './cell.js'
import type { AnyHandlers } from './definition.js'
import { DurableMe } from './durable-me.js'
import { isOpen, type CancelReason, type Envelope } from './envelope.js'
import type { HandlerMe } from './handler-me.js'
import { asAsked, takeSame } from './former-mail.js'
import { Handlers, type Handler } from './handlers.js'
import { replyEntry, type Ledger } from './ledger.js'
import { DOZE_MS, STORE_RETRY_MS } from './limits.js'
import type { Message, Spec } from './protocol.js'
import { interrupted } from './replies.js'
import { isStoreFailure } from './store/store.js'

export class DurableHandlers extends Handlers {
  readonly #ledger: Ledger
  /** The mail whose handler a former life had begun: it goes on before any other mail. */
  #begun: Envelope | undefined
  /** A cancel of that mail which came before its handler was back where it waits. */
  #calledOff: { readonly envelope: Envelope; readonly reason: CancelReason } | undefined
  #drowsy = false

  constructor(cell: Cell, handlers: AnyHandlers, ledger: Ledger) {
    super(cell, handlers)
    this.#ledger = ledger
  }

  override start(): void {
    const { address, parts } = this.cell
    const { mail, underWay } = this.#ledger.recover(parts.dozing.take(address))
    const here = mail.map((envelope) => asAsked(envelope, this.cell))
    const begun = underWay === undefined ? undefined : here[mail.indexOf(underWay)]
    if (begun !== undefined && this.takes(begun.type) === 'now') this.#begun = begun
    this.cell.recover(here.filter((envelope) => envelope !== this.#begun))
    super.start()
  }

  override get hasWork(): boolean {
    return this.#begun !== undefined && this.free
  }
  override get restful(): boolean {
    return this.#begun === undefined && super.restful
  }

  override work(): boolean {
    const envelope = this.#begun
    if (envelope === undefined) return false
    this.#begun = undefined
    if (isOpen(envelope)) this.handle(envelope)
    return true
  }

  override cancel(envelope: Envelope, reason: CancelReason): boolean | 'later' {
    const begun = this.#begun
    if (begun?.id !== envelope.id) {
      takeSame(this.cell, envelope)
      return super.cancel(envelope, reason)
    }
    this.#calledOff = { envelope: begun, reason }
    return 'later'
  }

  override dispose(why: 'failed' | 'stopped', error?: unknown): void {
    super.dispose(why, error)
    if (why === 'failed' || this.#begun === undefined) return
    this.cell.parts.endings.dead(this.#begun, 'stopped')
    this.#begun = undefined
  }

  // ── long waits ────────────────────────────────────────────────────────────────────────────────

  /** One more wait of this handler has begun. */
  waiting(me: DurableMe): void {
    const off = this.#calledOff
    this.#calledOff = undefined
    if (off !== undefined && off.envelope === me.handling) return this.cell.cancel(off.envelope, off.reason)
    if (this.#drowsy) return
    this.#drowsy = true
    this.#dozeAfter(DOZE_MS, me)
  }

  #dozeAfter(ms: number, me: DurableMe): void {
    const { clock } = this.cell.parts
    const look = (): void => {
      const until = me.waitsUntil
      this.#drowsy = until !== undefined && this.cell.alive
      if (!this.#drowsy) return
      if (!this.cell.mayDoze || until === undefined || until < clock.now() + DOZE_MS || !this.#doze(me, until)) this.#dozeAfter(Math.min(2 * ms, 60_000), me)
    }
    clock.timer(ms, look, true)
  }

  /** Leaves memory, with its cell; false when it cannot. */
  #doze(me: DurableMe, until: number): boolean {
    const { cell } = this
    const { handling } = me
    if (handling === undefined || cell.definition.protocol.specs[handling.type]?.kind === 'stream' || !this.leave(me)) return false
    me.run.letGo()
    me.letGo()
    cell.parts.dozing.add(cell, handling, until)
    cell.parts.dispatcher.poke()
    return true
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
    const answer = envelope.correlation === 0 || envelope.sequence === 0 ? [] : [replyEntry(this.cell.parts.nodes, envelope.from, envelope.sequence, envelope.correlation, outcome, now)]
    const numbers = await this.#ledger.commit(this.state, [envelope.entry, ...me.run.taken], [...entries, ...answer], { handled: { type: envelope.type, from: envelope.from, body: envelope.body, chart: false } })
    unclaimed.arrived(durable, numbers)
    if (answer.length > 0) router.awake(envelope.from)?.ledger?.replied(envelope.sequence, envelope.correlation, outcome, now, numbers.at(-1) as number)
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
    const incompatible = run.progress.divergence
    if (incompatible === undefined && !isStoreFailure(error)) {
      this.#ledger.failed(envelope.entry, run.failedWith(error))
      return super.failed(me, envelope, error)
    }
    // Nobody's fault but the disk's, or the deploy's: the envelope keeps its place until there is room, or the right code.
    me.letGo()
    const taken = run.takenInVain
    for (const each of taken) each.ending = 'waiting'
    this.cell.recover(taken)
    this.cell.pauseFor(incompatible === undefined ? STORE_RETRY_MS : Infinity, envelope)
    if (incompatible !== undefined) this.#refuse(envelope, incompatible)
  }

  /** Who asked and is not durable is told; a durable asker waits, as its mail does, for the code that can go on. */
  #refuse(envelope: Envelope, incompatible: TroupeError): void {
    const { parts, address } = this.cell
    parts.log(address, [`keeps ${envelope.type} until the code that began it is back:`, incompatible])
    if (envelope.correlation !== 0 && envelope.sequence === 0) parts.replies.fail(envelope.correlation, incompatible)
  }

  /** The next try begins anew: a reader who has seen a part of this one is told so, and not given it twice. */
  #breakOff(envelope: Envelope, error: unknown): void {
    const { replies } = this.cell.parts
    if (replies.get(envelope.correlation)?.channel?.begun === true) replies.fail(envelope.correlation, interrupted(envelope, 'its handler failed and begins anew', error))
  }
}
