/**
 * Plain handlers as a cell's behaviour.
 * Owns: which handlers run, and what each holds (`me`). Does not own: mail, failure, life cycle; the cell does.
 */
import { TroupeError } from '../ground/errors.js'
import type { Behaviour } from './behaviour.js'
import type { Cell } from './cell.js'
import type { AnyHandlers } from './definition.js'
import { isOpen, type CancelReason, type Envelope } from './envelope.js'
import { HandlerMe, type HandlerHost } from './handler-me.js'
import { isolate } from './isolate.js'
import { check, type Message, type Spec } from './protocol.js'
import { interrupted, type Asked } from './replies.js'
import { flow } from './streams.js'

export type Handler = (message: Message, me: HandlerMe) => unknown

export class Handlers implements Behaviour, HandlerHost {
  state: unknown
  protected readonly cell: Cell
  protected readonly handlers: AnyHandlers
  readonly #running = new Set<HandlerMe>()
  /** The handler on the stack: it is under way too, and not yet known to be asynchronous. */
  #current: HandlerMe | undefined
  /** Why all that runs was called off. */
  #quitting: CancelReason | undefined
  /** Asks and waits that handlers have begun: one may outlast the handler that did not await it. */
  pending = 0
  #onSettled: (() => void) | undefined

  constructor(cell: Cell, handlers: AnyHandlers) {
    this.cell = cell
    this.handlers = handlers
  }

  get hasWork(): boolean {
    return false
  }
  get free(): boolean {
    return this.#running.size < (this.cell.definition.options.concurrency ?? 1)
  }
  get working(): boolean {
    return this.#running.size > 0
  }
  get restful(): boolean {
    return this.#running.size === 0 && this.pending === 0
  }
  /** Whether a handler keeps all others waiting while it awaits. */
  get exclusive(): boolean {
    return (this.cell.definition.options.concurrency ?? 1) === 1
  }

  start(): void {
    const me = new HandlerMe(this.cell, this, undefined)
    let begun: unknown
    try {
      this.state = this.initial()
      this.#current = me
      begun = this.handlers.started?.(me as never)
    } catch (error) {
      this.#current = undefined
      me.abandon('actor-failed')
      this.cell.fail(undefined, error)
      return this.#onSettled?.()
    }
    this.#current = undefined
    if (!isPromiseLike(begun)) {
      this.#started(me)
      return this.#onSettled?.()
    }
    this.#run(me)
    begun.then(
      () => {
        if (this.#running.delete(me)) this.#started(me)
        this.#settled()
      },
      (error: unknown) => {
        if (this.#running.delete(me)) {
          me.abandon('actor-failed')
          this.cell.fail(undefined, error)
        }
        this.#settled()
      },
    )
  }

  /** The state to start from. */
  protected initial(): unknown {
    const { address, key } = this.cell
    return this.handlers.state?.({ address, key })
  }

  #started(me: HandlerMe): void {
    const stopAfter = me.stopAfter
    this.#commit(me, () => this.cell.began())
    if (stopAfter) void this.cell.stop({ kind: 'stopped' })
  }

  takes(type: string): 'now' | 'never' {
    return this.cell.definition.protocol.specs[type] === undefined ? 'never' : 'now'
  }

  handle(envelope: Envelope): void {
    const cell = this.cell
    const spec = cell.definition.protocol.specs[envelope.type] as Spec
    // One for each message, since a handler may leave a callback behind that still holds it.
    const me = new HandlerMe(cell, this, envelope)
    let message: Message
    try {
      message = cell.open(envelope)
    } catch (error) {
      me.finish()
      cell.parts.endings.dead(envelope, 'refused', error)
      return
    }
    let answer: unknown
    try {
      this.#current = me
      answer = (this.handlers.on[envelope.type] as unknown as Handler)(message, me)
    } catch (error) {
      this.#current = undefined
      this.failed(me, envelope, error)
      return this.#onSettled?.()
    }
    this.#current = undefined
    if (spec.kind === 'stream') this.attend(me, envelope, spec, this.flow(envelope, spec.chunk, answer))
    else if (isPromiseLike(answer)) this.attend(me, envelope, spec, answer)
    else {
      this.#finished(me, envelope, spec, answer)
      this.#onSettled?.()
    }
  }

  /** One of those under way is left behind; false when it is not among them any more. */
  protected leave(me: HandlerMe): boolean {
    return this.#running.delete(me)
  }

  /** It goes on after this turn; one whose actor was stopped from within it learns so now. */
  #run(me: HandlerMe): void {
    this.#running.add(me)
    if (this.#quitting !== undefined) this.#callOff(me, this.#quitting)
  }

  protected attend(me: HandlerMe, envelope: Envelope, spec: Spec, answer: PromiseLike<unknown>): void {
    this.#run(me)
    // One that is no longer in the set was left behind by a restart or a stop: its outcome is nobody's.
    answer.then(
      (value) => {
        if (!this.#running.delete(me)) return
        this.#finished(me, envelope, spec, value)
        this.#settled()
      },
      (error: unknown) => {
        if (!this.#running.delete(me)) return
        this.failed(me, envelope, error)
        this.#settled()
      },
    )
  }

  protected async flow(envelope: Envelope, schema: Parameters<typeof check>[0], source: unknown): Promise<void> {
    const { parts } = this.cell
    const channel = parts.replies.get(envelope.correlation)?.channel
    if (channel === undefined) return
    const what = `a chunk of ${envelope.type}`
    await flow(source as AsyncIterable<unknown>, channel, parts.checked ? (chunk) => check(schema, chunk, what) : () => {})
  }

  #finished(me: HandlerMe, envelope: Envelope, spec: Spec, value: unknown): void {
    const { parts } = this.cell
    let reply: unknown
    try {
      reply = this.replyOf(envelope, spec, value)
    } catch (error) {
      return this.failed(me, envelope, error)
    }
    parts.endings.handled(envelope)
    const stopAfter = me.stopAfter
    const answer = envelope.correlation
    if (answer === 0 && !me.hasSent) me.finish()
    else this.#commit(me, () => answer !== 0 && parts.replies.reply(answer, reply))
    if (stopAfter) void this.cell.stop({ kind: 'stopped' })
  }

  /** The reply as its asker gets it. Throws when it is not as the protocol says, or cannot be packed. */
  protected replyOf(envelope: Envelope, spec: Spec, value: unknown): unknown {
    if (spec.kind !== 'request') return undefined
    if (this.cell.parts.checked) check(spec.reply, value, `the reply to ${envelope.type}`)
    return isolate(value)
  }

  /** What the handler sent leaves, then the rest of its end comes. */
  #commit(me: HandlerMe, then: () => unknown): void {
    const outbox = me.finish()
    if (outbox === undefined) then()
    else this.cell.release(outbox, then)
  }

  protected failed(me: HandlerMe, envelope: Envelope, error: unknown): void {
    const reason = me.cancelReason
    me.abandon('actor-failed')
    // Who was called off and says so has not failed.
    if (reason === undefined || !isCancellation(error)) return this.cell.fail(envelope, error)
    if (isOpen(envelope)) this.cell.parts.endings.cancelled(envelope, reason)
  }

  #settled(): void {
    this.#onSettled?.()
    this.cell.wake()
    this.cell.parts.dispatcher.poke()
  }

  work(): boolean {
    return false
  }

  *awaits(): Iterable<Asked> {
    if (!this.exclusive) return
    for (const me of this.#running) for (const { asked } of me.asks) yield asked
  }

  takesAside(envelope: Envelope): boolean {
    for (const me of this.#running) if (me.takesAside(envelope)) return true
    return false
  }

  cancel(envelope: Envelope, reason: CancelReason): boolean | 'later' {
    for (const me of this.#running) {
      if (me.handling?.id !== envelope.id) continue
      me.cancel(reason)
      return true
    }
    return false
  }

  forget(): void {
    // A handler answers when it ends, whether anybody still waits or not.
  }

  quit(reason: CancelReason): Promise<void> | undefined {
    this.#quitting = reason
    if (this.#running.size === 0 && this.#current === undefined) return undefined
    for (const me of this.#running) this.#callOff(me, reason)
    return new Promise((resolve) => {
      this.#onSettled = () => {
        if (this.#running.size === 0 && this.#current === undefined) resolve()
      }
    })
  }

  #callOff(me: HandlerMe, reason: CancelReason): void {
    this.#interrupt(me.handling, 'the actor stopped')
    me.cancel(reason)
  }

  /** A stream that breaks off says so, and its producer need not wait for its reader any more. */
  #interrupt(envelope: Envelope | undefined, why: string, cause?: unknown): void {
    if (envelope === undefined) return
    const { replies } = this.cell.parts
    if (replies.get(envelope.correlation)?.channel !== undefined) replies.fail(envelope.correlation, interrupted(envelope, why, cause))
  }

  dispose(why: 'failed' | 'stopped', error?: unknown): void {
    const left = [...this.#running]
    this.#running.clear()
    for (const me of left) {
      me.abandon(why === 'failed' ? 'actor-failed' : 'actor-stopped')
      const envelope = me.handling
      this.#interrupt(envelope, why === 'failed' ? 'the actor restarts' : 'the actor stopped', error)
      if (envelope !== undefined && isOpen(envelope)) this.cell.parts.endings.dead(envelope, why, error)
    }
    const me = new HandlerMe(this.cell, this, undefined)
    try {
      this.handlers.stopped?.(me as never)
    } catch (failure) {
      this.cell.parts.log(this.cell.address, ['stopped() failed:', failure])
    }
    const outbox = me.finish()
    if (outbox !== undefined) this.cell.release(outbox, () => {})
  }
}

/** Whether what a handler threw is the news that it was called off, or was caused by that. */
function isCancellation(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth++) {
    if (at.name === 'AbortError' || (at instanceof TroupeError && (at.code === 'Cancelled' || at.code === 'DeadlineExceeded' || at.code === 'Interrupted'))) return true
  }
  return false
}

const isPromiseLike = (value: unknown): value is PromiseLike<unknown> => typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
