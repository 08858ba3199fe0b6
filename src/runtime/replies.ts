/**
 * Owns: the asks and streams that wait for an outcome.
 * Does not own: the work they caused; a cancel is an order to the cell that has it.
 *
 * Invariants:
 * R1. Every open ask is settled exactly once: by a reply, an error, its deadline, a cancel, or the troupe's stop.
 * R2. What arrives for a settled ask is late, and changes nothing.
 * R3. No timer per ask: one timer stands for the earliest deadline. While anything is open some timer stands, so that
 *     the process lives to see its outcome. A look at the deadlines is a look at all, so it comes a millisecond later
 *     for each SWEEP_ASKS_A_MS open asks at most, and never costs more than a small share of the time.
 */
import { TroupeError } from '../ground/errors.js'
import type { Clock, Timer } from '../ground/clock.js'
import type { CancelReason, Envelope } from './envelope.js'
import { OPEN_ASKS_MAX } from './limits.js'
import type { Channel } from './streams.js'

/** Where an ask went: the cell that is to answer. */
export interface Asked {
  cancel(envelope: Envelope, reason: CancelReason): void
  /** The ask is settled, whoever settled it: a promise to answer it later is void. With the reason, when it was called off. */
  forget(ask: number, calledOff: CancelReason | undefined): void
}
/** The handler or chart that asked, when it was one. */
export interface Asker {
  opened(ask: OpenAsk): void
  closed(ask: OpenAsk): void
}

export interface OpenAsk {
  readonly envelope: Envelope
  /** Another once the cell has left memory, or has come back. */
  asked: Asked
  readonly asker: Asker | undefined
  /** Clock time, or Infinity. */
  deadline: number
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  /** Set for a stream: chunks go there, and the outcome ends it. */
  readonly channel: Channel | undefined
  /** Lets go of the caller's AbortSignal. */
  release: (() => void) | undefined
}

/** How many open asks a look at the deadlines may pass for each millisecond between two looks. */
const SWEEP_ASKS_A_MS = 1_000

/** For asks that wait for ever. */
const FAR_MS = 2 ** 31 - 1

export class Replies {
  readonly #open = new Map<number, OpenAsk>()
  readonly #clock: Clock
  #timer: Timer | undefined
  #timerAt = Infinity
  #resting = false
  #sweptAt = -Infinity
  /** Called, at most once a turn of the event loop, when nothing is open any more. */
  onRest: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#open.size
  }

  get(ask: number): OpenAsk | undefined {
    return this.#open.get(ask)
  }

  /** Whether all that are open are such. */
  all(are: (ask: OpenAsk) => boolean): boolean {
    for (const ask of this.#open.values()) if (!are(ask)) return false
    return true
  }

  /** Throws `Overloaded` when too many are open. */
  open(ask: OpenAsk): void {
    if (this.#open.size >= OPEN_ASKS_MAX) {
      throw new TroupeError('Overloaded', `${OPEN_ASKS_MAX} asks are open`, 'ask less at once; details.retryAfterMs says when to try again', { retryAfterMs: 1_000 })
    }
    this.#open.set(ask.envelope.id, ask)
    ask.asker?.opened(ask)
    if (ask.deadline < this.#timerAt || this.#timer === undefined) this.#watch(ask.deadline)
  }

  /** Gives a stream's reader until `deadline` for its next chunk. */
  extend(ask: OpenAsk, deadline: number): void {
    ask.deadline = deadline
    if (deadline < this.#timerAt) this.#watch(deadline)
  }

  /** The reply has come, already in memory of its own; false when nobody waits for it any more. */
  reply(id: number, value: unknown): boolean {
    const ask = this.#take(id)
    if (ask === undefined) return false
    if (ask.channel !== undefined) ask.channel.end()
    else ask.resolve(value)
    return true
  }

  /** The ask failed; false when nobody waits for it any more. */
  fail(id: number, error: TroupeError, calledOff?: CancelReason): boolean {
    const ask = this.#take(id, calledOff)
    if (ask === undefined) return false
    if (ask.channel !== undefined) ask.channel.fail(error)
    else ask.reject(error)
    return true
  }

  /** Nobody wants the outcome any more: settles the ask and calls off the work behind it. */
  cancel(id: number, reason: CancelReason): void {
    const ask = this.#open.get(id)
    if (ask === undefined) return
    const { envelope } = ask
    this.fail(id, reason === 'deadline' ? late(envelope) : cancelled(envelope.type, envelope.to, reason), reason)
    ask.asked.cancel(envelope, reason)
  }

  /** Its asker has left it without a word, and may wait for the same ask later. */
  letGo(id: number): void {
    const ask = this.#open.get(id)
    if (ask === undefined || !this.#open.delete(id)) return
    ask.release?.()
    ask.asker?.closed(ask)
    if (this.#open.size === 0) this.#rest()
  }

  /** Cancels everything that is open. */
  cancelAll(reason: CancelReason): void {
    for (const id of Array.from(this.#open.keys())) this.cancel(id, reason)
  }

  #take(id: number, calledOff?: CancelReason): OpenAsk | undefined {
    const ask = this.#open.get(id)
    if (ask === undefined) return undefined
    this.#open.delete(id)
    ask.release?.()
    ask.asker?.closed(ask)
    ask.asked.forget(id, calledOff)
    if (this.#open.size === 0) this.#rest()
    return ask
  }

  #watch(deadline: number): void {
    this.#timer?.cancel()
    this.#timerAt = deadline
    const now = this.#clock.now()
    const at = Math.max(now, deadline, this.#sweptAt + Math.floor(this.#open.size / SWEEP_ASKS_A_MS))
    this.#timer = this.#clock.timer(Math.min(at - now, FAR_MS), () => this.#sweep())
  }

  /** With nothing open the timer must not keep the process alive; one look per turn, since askers come and go faster. */
  #rest(): void {
    if (this.#resting) return
    this.#resting = true
    this.#clock.nextTurn(() => {
      this.#resting = false
      if (this.#open.size > 0) return
      this.#timer?.cancel()
      this.#timer = undefined
      this.#timerAt = Infinity
      this.onRest?.()
    })
  }

  #sweep(): void {
    this.#timer = undefined
    this.#timerAt = Infinity
    const now = this.#clock.now()
    this.#sweptAt = now
    let next = Infinity
    for (const [id, ask] of this.#open) {
      if (ask.deadline <= now) this.cancel(id, 'deadline')
      else if (ask.deadline < next) next = ask.deadline
    }
    if (this.#open.size > 0 && (next < this.#timerAt || this.#timer === undefined)) this.#watch(next)
  }
}

export const late = ({ type, to, id }: Envelope): TroupeError => new TroupeError('DeadlineExceeded', `${type} to ${to} had no outcome before its deadline`, `give it more time with { timeout }, or see troupe.why(${id})`, { id })

const SAYS: Readonly<Record<CancelReason, string>> = {
  caller: 'its caller called it off',
  'reader-left': 'its reader left',
  deadline: 'its deadline passed',
  'shutting-down': 'the troupe is shutting down',
  'actor-stopped': 'the actor was stopped',
  'actor-failed': 'the actor that wanted it failed',
  'answered-elsewhere': 'another member of the pool answered first',
}
/** Whether something ended only because the process does: to whoever comes back, that is no outcome. */
export const isShutdown = (error: unknown): error is TroupeError => error instanceof TroupeError && error.code === 'Cancelled' && error.details['reason'] === 'shutting-down'
export const cancelled = (type: string, to: string, reason: CancelReason): TroupeError => new TroupeError('Cancelled', `${type} to ${to} was cancelled: ${SAYS[reason]}`, 'details.reason tells a wish from a shutdown', { reason })

/** The producer of a stream is gone before its end: the reader is told, with what was sent still to read. */
export const interrupted = ({ type, to, id }: Envelope, why: string, cause?: unknown): TroupeError => new TroupeError('Interrupted', `${type} of ${to} broke off: ${why}`, `ask again once it is back, or see troupe.why(${id})`, { id, address: to }, cause)

/** Whoever took a request ended before its answer. */
export const unanswered = ({ type, to }: Envelope, ended: string, cause?: unknown): TroupeError => new TroupeError('ActorFailed', `${to} took ${type} and then ${ended}`, 'see the cause, and ask again', { address: to }, cause)
