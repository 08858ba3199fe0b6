/** Where messages become envelopes: intercepted, checked, packed, stamped, and handed to the cells they are for. */
import { asTroupeError, TroupeError } from '../ground/errors.js'
import { milliseconds } from '../ground/duration.js'
import { OUTSIDE, type Address } from './address.js'
import type { Cell } from './cell.js'
import type { Receiver } from './receiver.js'
import { pack } from './codec.js'
import { Envelope, PRIORITY, type Cause, type DeadReason, type PriorityName } from './envelope.js'
import { heed } from './heed.js'
import { ASK_TIMEOUT_MS } from './limits.js'
import type { Parts } from './parts.js'
import { checkBody, type Message, type Spec } from './protocol.js'
import type { Outcome } from './replay.js'
import { cancelled, late, type Asker, type OpenAsk } from './replies.js'
import type { AskOptions, Ref, StreamOptions, TellOptions } from './ref.js'
import { Channel } from './streams.js'

/** On whose behalf a message leaves. */
export interface Sender {
  readonly address: Address
  /** The envelope being handled, whose deadline and trace are handed on. */
  readonly cause: Cause | undefined
  readonly asker: Asker | undefined
  /** Throws `AskCycle` when asking this cell could never end. */
  readonly mayAsk?: (cell: Receiver, type: string) => void
  /** The mail of a durable actor whose handler or effect sends: what comes back belongs to it. */
  readonly entry?: number
  /** Keeps an ask before it is sent; nothing when it need not be kept. */
  readonly keepAsk?: (cell: Receiver, envelope: Envelope) => Promise<void> | undefined
  /** The id of an ask that a former life has sent already: it is only waited for. */
  readonly asked?: number | undefined
  /** Until when it waits, where that was settled before. */
  readonly until?: number
  /** What came of it since, while the handler was still on its way back to this ask. */
  readonly answered?: Outcome | undefined
  /** It is on another node, which has let its own interceptors see the message; here it is checked, whatever the sends inside are. */
  readonly isForeign?: boolean
}
const OUTSIDER: Sender = { address: OUTSIDE, cause: undefined, asker: undefined }
const senderOf = ({ from }: Ref): Sender => (from === undefined ? OUTSIDER : { address: from, cause: undefined, asker: undefined })

const ACCEPTED = Promise.resolve()
const noop = (): void => {}

/** A rejection that is nobody's unhandled one: the caller of `tell` need not listen. */
function refusal(error: unknown): Promise<never> {
  const refused = Promise.reject(asTroupeError(error))
  refused.catch(noop)
  return refused
}

/** All that an envelope needs of whom it is for; a chart's child has it before it has a cell. */
type Addressee = Pick<Receiver, 'address' | 'definition'>

export class Post {
  readonly #parts: Omit<Parts, 'post'>
  #ids: number
  /** Set once the troupe stops: nobody outside may start work any more. */
  closed = false

  constructor(parts: Omit<Parts, 'post'>) {
    this.#parts = parts
    // Ids never come again: each opening of a store starts a range of its own.
    const epoch = parts.journal?.epoch ?? 0
    this.#ids = parts.nodes?.idsFrom(epoch) ?? epoch * 2 ** 32
  }

  /** Makes the envelope of a message for a cell; throws what makes it impossible, with nothing sent. */
  stamp(cell: Addressee, given: Message, kind: Spec['kind'] | 'any', sender: Sender, priority: PriorityName = 'normal', deadline = 0): Envelope {
    const isForeign = sender.isForeign === true
    const message = isForeign ? given : this.#parts.interceptors.sent(given, cell.address, sender.address)
    if (isForeign || this.#parts.checked) checkFor(cell, message, kind)
    return this.#envelope(cell.address, message, kind === 'request' || kind === 'stream', sender, priority, deadline)
  }

  #envelope(to: Address, message: Message, asks: boolean, { address, cause, entry = 0 }: Sender, priority: PriorityName, deadline: number): Envelope {
    const body = pack(message)
    const id = ++this.#ids
    const envelope = new Envelope(id, to, address, message.type, body, asks ? id : 0, cause === undefined ? 0 : cause.id, deadline, PRIORITY[priority], cause === undefined ? id : cause.trace, entry, 0)
    this.#parts.inspection.sent(envelope)
    return envelope
  }

  /** A tell from outside: the promise tells that the mailbox accepted it. */
  tell(ref: Ref, message: Message, options?: TellOptions, sender = senderOf(ref)): Promise<void> {
    try {
      // An actor elsewhere is no outsider: while what is under way finishes, it may tell as those here do.
      if (this.closed && !(sender.isForeign === true && sender.address !== OUTSIDE)) throw cancelled(message.type, ref.address, 'shutting-down')
      const target = this.#parts.router.find(ref)
      if (target === undefined) throw this.#nobody(ref.address, message, sender)
      const picked = target.pick(message)
      if (isSingle(picked)) return this.#tellOne(picked, message, options, sender)
      const told = Promise.all(picked.map((cell) => this.#tellOne(cell, message, options, sender))).then(noop)
      told.catch(noop)
      return told
    } catch (error) {
      return refusal(error)
    }
  }

  #tellOne(cell: Receiver, message: Message, options: TellOptions | undefined, sender: Sender): Promise<void> {
    let envelope: Envelope
    try {
      envelope = this.stamp(cell, message, 'event', sender, options?.priority)
    } catch (error) {
      return refusal(error)
    }
    const admission = cell.accept(envelope)
    if (admission === 'accepted') return envelope.kept ?? this.#parts.dispatcher.breath ?? ACCEPTED
    if (admission === 'full') return this.#awaitRoom(cell, envelope, options?.signal)
    return refusal(admission)
  }

  #awaitRoom(cell: Receiver, envelope: Envelope, signal: AbortSignal | undefined): Promise<void> {
    const { endings } = this.#parts
    const waited = new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        if (waiter !== undefined) cell.leave(waiter)
        endings.cancelled(envelope, 'caller')
        reject(cancelled(envelope.type, envelope.to, 'caller'))
      }
      let release: (() => void) | undefined
      const waiter = cell.awaitRoom(envelope, (admitted) => {
        release?.()
        if (admitted) resolve(envelope.kept)
        else reject(endings.dead(envelope, 'stopped'))
      })
      if (waiter === undefined) reject(endings.dead(envelope, 'overloaded'))
      else if (signal?.aborted === true) leave()
      else if (signal !== undefined) release = heed(signal, leave)
    })
    waited.catch(noop)
    return waited
  }

  /** A tell on an actor's behalf, as envelopes for its outbox. */
  toTell(sender: Sender, ref: Ref, message: Message, priority?: PriorityName): readonly Envelope[] {
    const target = this.#parts.router.find(ref)
    // Telling nobody is no fault of the sender: the message becomes a dead letter when the outbox leaves.
    if (target === undefined) return [this.#envelope(ref.address, message, false, sender, priority ?? 'normal', 0)]
    const picked = target.pick(message)
    if (isSingle(picked)) return [this.stamp(picked, message, 'event', sender, priority)]
    return this.#each(picked, (cell) => this.stamp(cell, message, 'event', sender, priority))
  }

  /** One envelope for each subscriber of a topic, and one for each other node; a subscriber that does not take the message gets it as a dead letter. */
  toPublish(sender: Sender, topic: string, message: Message): readonly Envelope[] {
    const { topics, router, nodes } = this.#parts
    const elsewhere = sender.isForeign === true ? [] : (nodes?.others.map((node) => nodes.topicAt(node, topic)) ?? [])
    return this.#each([...topics.match(topic), ...elsewhere], (address) => {
      try {
        if (nodes?.isAway(address) === true) return this.#envelope(address, message, false, sender, 'normal', 0)
        const cell = router.cell(address)
        return cell === undefined ? undefined : this.stamp(cell, message, 'any', sender)
      } catch (error) {
        // One that refuses the message, or cannot be woken, must not keep it from the others.
        this.bury(address, message, sender, 'refused', error)
        return undefined
      }
    })
  }

  /** Makes an envelope for each of many; when one cannot be made, those made before are called off. */
  #each<T>(many: readonly T[], make: (one: T) => Envelope | undefined): readonly Envelope[] {
    const made: Envelope[] = []
    try {
      for (const one of many) {
        const envelope = make(one)
        if (envelope !== undefined) made.push(envelope)
      }
    } catch (error) {
      for (const envelope of made) this.#parts.endings.cancelled(envelope, 'caller')
      throw error
    }
    return made
  }

  /** A message of an actor to itself, about the end of another. */
  notify(cell: Cell, message: Message): void {
    const { endings } = this.#parts
    const envelope = this.stamp(cell, message, 'event', { address: cell.address, cause: undefined, asker: undefined }, 'high')
    if (cell.accept(envelope) === 'full' && cell.awaitRoom(envelope, (admitted) => void (admitted || endings.dead(envelope, 'stopped'))) === undefined) endings.dead(envelope, 'overloaded')
  }

  /** A dead letter tried again; nobody waits for its answer any more. */
  async resend(ref: Ref, message: Message): Promise<void> {
    if (this.closed) throw cancelled(message.type, ref.address, 'shutting-down')
    const picked = this.#parts.router.find(ref)?.pick(message)
    if (picked === undefined) throw new TroupeError('NoSuchActor', `no actor at ${ref.address} for ${message.type}`, 'spawn it first, then replay', { address: ref.address })
    for (const cell of isSingle(picked) ? [picked] : picked) {
      const envelope = this.stamp(cell, message, 'any', OUTSIDER)
      const admission = cell.accept(envelope)
      if (admission === 'full') await this.#awaitRoom(cell, envelope, undefined)
      else if (admission !== 'accepted') throw admission
    }
  }

  /** Publishes from outside; nobody needs to await it. */
  publish(topic: string, message: Message): Promise<void> {
    const published = this.#publish(topic, message)
    published.catch(noop)
    return published
  }

  async #publish(topic: string, message: Message): Promise<void> {
    if (this.closed) throw cancelled(message.type, topic, 'shutting-down')
    const settled = this.toPublish(OUTSIDER, topic, message).map(async (envelope) => {
      const cell = this.#parts.router.receiver(envelope.to)
      if (cell === undefined) throw this.#parts.endings.dead(envelope, 'no-such-actor')
      if (cell.accept(envelope) === 'full') await this.#awaitRoom(cell, envelope, undefined)
      else await envelope.kept
    })
    await Promise.all(settled)
  }

  ask(ref: Ref, message: Message, options: AskOptions = NO_OPTIONS, sender: Sender = senderOf(ref)): Promise<unknown> {
    try {
      const picked = this.#pick(ref, message, sender)
      return isSingle(picked) ? this.#askOne(picked, message, options, sender) : this.#askFirst(picked, message, options, sender)
    } catch (error) {
      return Promise.reject(asTroupeError(error))
    }
  }

  #askOne(cell: Receiver, message: Message, options: AskOptions, sender: Sender): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#open(cell, message, 'request', options, sender, resolve, reject, undefined)
    })
  }

  /** Asks all; the first reply wins, and calls the others off. */
  async #askFirst(cells: readonly Receiver[], message: Message, options: AskOptions, sender: Sender): Promise<unknown> {
    const race = new AbortController()
    const stop = (): void => race.abort('caller')
    const release = options.signal === undefined ? noop : heed(options.signal, stop)
    if (options.signal?.aborted === true) stop()
    try {
      return await Promise.any(cells.map((cell) => this.#askOne(cell, message, { ...options, signal: race.signal }, sender)))
    } catch (error) {
      throw error instanceof AggregateError ? error.errors[0] : error
    } finally {
      release()
      race.abort('answered-elsewhere')
    }
  }

  /** Opens a stream; its channel is the reader's end. */
  stream(ref: Ref, message: Message, options: StreamOptions = NO_OPTIONS, sender: Sender = senderOf(ref)): Channel {
    const { replies, clock, dispatcher } = this.#parts
    const patienceMs = patience(options)
    const latest = sender.cause?.deadline || Infinity
    let ask: OpenAsk | undefined
    const channel = new Channel(
      () => ask !== undefined && replies.cancel(ask.envelope.id, 'reader-left'),
      (waiting) => ask !== undefined && patienceMs !== Infinity && replies.extend(ask, Math.min(latest, waiting ? clock.now() + patienceMs : Infinity)),
      () => dispatcher.breathe(),
      clock,
      options.idle === 'none' ? Infinity : options.idle === undefined ? undefined : milliseconds(options.idle),
    )
    try {
      const picked = this.#pick(ref, message, sender)
      const cell = isSingle(picked) ? picked : (picked[0] as Receiver)
      ask = this.#open(cell, message, 'stream', options, sender, noop, (error) => channel.fail(error as TroupeError), channel)
      channel.id = ask?.envelope.id ?? 0
    } catch (error) {
      channel.fail(asTroupeError(error))
    }
    return channel
  }

  #pick(ref: Ref, message: Message, sender: Sender): Receiver | readonly Receiver[] {
    if (this.closed && sender.address === OUTSIDE) throw cancelled(message.type, ref.address, 'shutting-down')
    const target = this.#parts.router.find(ref)
    if (target === undefined) throw this.#nobody(ref.address, message, sender)
    return target.pick(message)
  }

  #open(cell: Receiver, message: Message, kind: 'request' | 'stream', options: AskOptions, sender: Sender, resolve: (value: unknown) => void, reject: (error: unknown) => void, channel: Channel | undefined): OpenAsk | undefined {
    const { replies, clock, endings } = this.#parts
    sender.mayAsk?.(cell, message.type)
    const own = sender.cause?.deadline ?? 0
    // A stream may run for long: what counts is how long its reader waits for each chunk.
    const until = Math.min(own === 0 ? Infinity : own, channel === undefined ? (sender.until ?? clock.now() + patience(options)) : Infinity)
    const envelope = sender.asked === undefined ? this.stamp(cell, message, kind, sender, options.priority, until === Infinity ? 0 : until) : this.#again(cell, message, sender.asked, sender)
    if (until <= clock.now() && sender.asked === undefined) {
      endings.dead(envelope, 'expired')
      reject(late(envelope))
      return undefined
    }
    const ask: OpenAsk = { envelope, asked: cell, asker: sender.asker, deadline: until, resolve, reject, channel, release: undefined }
    try {
      replies.open(ask)
    } catch (error) {
      endings.dead(envelope, 'overloaded')
      throw error
    }
    if (options.signal !== undefined && !this.#heed(ask, options.signal)) return ask
    if (sender.asked !== undefined) {
      if (sender.answered?.ok === true) replies.reply(sender.asked, sender.answered.value)
      else if (sender.answered?.ok === false) replies.fail(sender.asked, asTroupeError(sender.answered.error))
      else if (until <= clock.now()) replies.cancel(sender.asked, 'deadline')
      return ask
    }
    const kept = sender.keepAsk?.(cell, envelope)
    if (kept === undefined) this.#admit(ask, cell)
    else
      kept.then(
        () => this.#admitKept(ask, cell),
        (error: unknown) => endings.dead(envelope, 'refused', error),
      )
    return ask
  }

  /** A refusal has told the asker already: every ending does. */
  #admit(ask: OpenAsk, cell: Receiver): void {
    if (cell.accept(ask.envelope) === 'full') this.#waitInLine(ask, cell)
  }

  /** While an ask was being kept its actor may have left memory; the mail is in the log, so it is for whoever is there now. */
  #admitKept(ask: OpenAsk, cell: Receiver): void {
    try {
      this.#admit(ask, cell.alive ? cell : (this.#parts.router.receiver(cell.address) ?? cell))
    } catch {
      // Too many are at work for it to wake: it finds the mail once there is room, and its asker waits.
      this.#parts.wakes.wake(ask.envelope.to)
    }
  }

  /** The envelope of an ask that was sent before: only its id and its way back count. */
  #again(cell: Receiver, message: Message, id: number, { address }: Sender): Envelope {
    return new Envelope(id, cell.address, address, message.type, pack(message), id, 0, 0, PRIORITY.normal, id, id, 0)
  }

  /** The ask waits for room; whatever settles it earlier takes it out of the line. */
  #waitInLine(ask: OpenAsk, cell: Receiver): void {
    const { endings } = this.#parts
    const { envelope, release } = ask
    const waiter = cell.awaitRoom(envelope, (admitted) => {
      ask.release = release
      if (!admitted) endings.dead(envelope, 'stopped')
    })
    if (waiter === undefined) return void endings.dead(envelope, 'overloaded')
    ask.release = () => {
      cell.leave(waiter)
      release?.()
    }
  }

  /** Ties an ask to its caller's signal, and lets go of the signal when the ask is settled. False when it has fired already. */
  #heed(ask: OpenAsk, signal: AbortSignal): boolean {
    const { replies, endings } = this.#parts
    const cancel = (): void => replies.cancel(ask.envelope.id, signal.reason === 'answered-elsewhere' ? 'answered-elsewhere' : 'caller')
    if (signal.aborted) {
      endings.cancelled(ask.envelope, 'caller')
      return false
    }
    ask.release = heed(signal, cancel)
    return true
  }

  #nobody(to: Address, message: Message, sender: Sender): TroupeError {
    return this.bury(to, message, sender, 'no-such-actor')
  }

  /** A message that never had a mailbox becomes a dead letter. */
  bury(to: Address, message: Message, sender: Sender, reason: DeadReason, error?: unknown): TroupeError {
    return this.#parts.endings.dead(this.#envelope(to, message, false, sender, 'normal', 0), reason, error)
  }
}

const NO_OPTIONS: AskOptions = {}
const isSingle = (picked: Receiver | readonly Receiver[]): picked is Receiver => !Array.isArray(picked)
/** How long an asker waits. */
export const patience = ({ timeout }: AskOptions = NO_OPTIONS): number => (timeout === undefined ? ASK_TIMEOUT_MS : timeout === 'none' ? Infinity : milliseconds(timeout))

/** Throws `InvalidMessage` for a message that this protocol does not take in this way. */
export function checkFor(cell: Addressee, message: Message, kind: Spec['kind'] | 'any'): void {
  const spec = cell.definition.protocol.specs[message.type]
  // What no protocol names is the receiver's to refuse, as `Unhandled`.
  if (spec === undefined) return
  if (kind !== 'any' && spec.kind !== kind) {
    throw new TroupeError('InvalidMessage', `${message.type} is ${spec.kind === 'event' ? 'an event' : `a ${spec.kind}`} of ${cell.address}`, 'tell events, ask requests, stream streams')
  }
  checkBody(spec, message)
}
