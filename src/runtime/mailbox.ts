/**
 * Owns: the envelopes that wait before one actor, the senders that wait for room, and the deferred.
 * Does not own: what happens to what it refuses or drops; its cell decides.
 *
 * Invariants:
 * M1. `count` and `bytes` cover the lanes and the deferred, and stay within the bounds, but for what was in its actor's
 *     hands when a newcomer took its place, and then came back.
 * M2. First in, first out within a priority; a newcomer never overtakes a sender that waits.
 * M3. After PRIORITY_RUN envelopes of one priority a waiting lower one has its turn.
 * M4. Deferred envelopes keep their order and are tried before new mail once `retry` was called.
 */
import { invariant } from '../ground/invariant.js'
import type { Priority } from './envelope.js'
import { DEFERRED_MAX, MAILBOX_BYTES_MAX, MAILBOX_COUNT_MAX, PRIORITY_RUN, WAITERS_MAX } from './limits.js'

/** What a mailbox does when it is full. */
export type Overflow = 'wait' | 'reject' | 'drop-oldest' | 'drop-newest'

export interface MailboxOptions {
  /** Envelopes, deferred ones included. Default 1,024. */
  readonly capacity?: number
  /** Bytes of packed bodies. Default 64 MiB. */
  readonly bytes?: number
  /** Default `wait`. */
  readonly overflow?: Overflow
  /** Deferred envelopes. Default 256; always fewer than the capacity, and half of the bytes at most. */
  readonly deferred?: number
}

/** All that a mailbox sees of an envelope. */
export interface Item {
  readonly priority: Priority
  readonly body: { readonly length: number }
}

/** A sender that waits for room; `settle` is called once, with whether its envelope was let in. */
export interface Waiter<T> {
  readonly item: T
  readonly settle: (admitted: boolean) => void
  gone: boolean
}

export type Offer<T> = { readonly kind: 'accepted' } | { readonly kind: 'full' } | { readonly kind: 'dropped'; readonly items: readonly T[] }
const ACCEPTED = { kind: 'accepted' } as const
const FULL = { kind: 'full' } as const

/** A queue in a ring that doubles when it is full. */
class Ring<T> {
  #slots: (T | undefined)[] = Array.from({ length: 4 })
  #head = 0
  length = 0
  push(item: T): void {
    if (this.length === this.#slots.length) this.#grow()
    this.#slots[(this.#head + this.length++) & (this.#slots.length - 1)] = item
  }
  unshift(item: T): void {
    if (this.length === this.#slots.length) this.#grow()
    this.#head = (this.#head - 1) & (this.#slots.length - 1)
    this.#slots[this.#head] = item
    this.length++
  }
  shift(): T | undefined {
    if (this.length === 0) return undefined
    const item = this.#slots[this.#head]
    this.#slots[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#slots.length - 1)
    this.length--
    return item
  }
  peek(): T | undefined {
    return this.#slots[this.#head]
  }
  some(matches: (item: T) => boolean): boolean {
    for (let i = 0; i < this.length; i++) if (matches(this.#slots[(this.#head + i) & (this.#slots.length - 1)] as T)) return true
    return false
  }
  /** Removes the first that matches, keeping the order: a linear search, for the rare paths only. */
  pick(matches: (item: T) => boolean): T | undefined {
    let found: T | undefined
    for (let rest = this.length; rest > 0; rest--) {
      const item = this.shift() as T
      if (found === undefined && matches(item)) found = item
      else this.push(item)
    }
    return found
  }
  #grow(): void {
    const slots = this.#slots
    const more = Array.from<T | undefined>({ length: slots.length * 2 })
    for (let i = 0; i < this.length; i++) more[i] = slots[(this.#head + i) & (slots.length - 1)]
    this.#slots = more
    this.#head = 0
  }
}

export class Mailbox<T extends Item> {
  count = 0
  bytes = 0
  readonly #options: MailboxOptions
  // Most actors are idle and most mail is of one priority, so nothing is allocated before it is needed.
  #lanes: (Ring<T> | undefined)[] | undefined
  #waiters: Ring<Waiter<T>> | undefined
  #waiting = 0
  #unwanted = 0
  #deferred: T[] | undefined
  #retryAt = 0
  #deferredBytes = 0
  #highRun = 0
  #normalRun = 0

  constructor(options: MailboxOptions = NO_OPTIONS) {
    this.#options = options
  }

  get overflow(): Overflow {
    return this.#options.overflow ?? 'wait'
  }
  get waiting(): number {
    return this.#waiting
  }
  get deferredCount(): number {
    return this.#deferred?.length ?? 0
  }
  /** Whether `take` has something to give. */
  get hasMail(): boolean {
    return this.count > (this.#deferred === undefined ? 0 : this.#retryAt)
  }
  /** Whether an item of this size could ever be let in. */
  couldHold(item: T): boolean {
    return item.body.length <= (this.#options.bytes ?? MAILBOX_BYTES_MAX)
  }

  /** Lets an item in, or applies the overflow policy; `full` means that the sender waits or is refused, an item too large for ever. */
  offer(item: T): Offer<T> {
    if (this.#waiting === 0 && this.#hasRoom(item)) {
      this.#push(item)
      return ACCEPTED
    }
    if (!this.couldHold(item)) return FULL
    switch (this.overflow) {
      case 'wait':
      case 'reject':
        return FULL
      case 'drop-newest':
        return { kind: 'dropped', items: [item] }
      case 'drop-oldest':
        return this.#makeRoom(item)
    }
  }

  /** Lets the sender wait for room, behind those who wait already; `undefined` when too many do, unless the item is accepted all the same. */
  wait(item: T, settle: (admitted: boolean) => void, isAccepted = false): Waiter<T> | undefined {
    if (this.#waiting >= WAITERS_MAX && !isAccepted) return undefined
    const waiter = { item, settle, gone: false }
    if (this.#waiters === undefined || this.#waiters.length >= 2 * Math.max(WAITERS_MAX, this.#waiting)) this.#waiters = this.#living()
    this.#waiters.push(waiter)
    this.#waiting++
    return waiter
  }

  /** The sender no longer waits. */
  leave(waiter: Waiter<T>): void {
    if (waiter.gone) return
    waiter.gone = true
    this.#waiting--
    // The gone are skipped when their turn comes; without the living none of them needs a turn.
    if (this.#waiting === 0) this.#waiters = undefined
    // It may have been the one that was too large for the room there is.
    else this.#admitWaiters()
  }

  /** The next item to look at: deferred ones that are to be tried again first, then by priority. */
  take(): T | undefined {
    const item = this.#deferred !== undefined && this.#retryAt < this.#deferred.length ? this.#takeDeferred(this.#deferred) : this.#takeLane()
    if (item === undefined) return undefined
    this.count--
    this.bytes -= item.body.length
    if (this.#waiting > 0) this.#admitWaiters()
    return item
  }

  /** The first item that matches, wherever it stands, those that wait for room included: for an actor that awaits one type. */
  pick(matches: (item: T) => boolean): T | undefined {
    let item: T | undefined
    const at = this.#deferred?.findIndex(matches) ?? -1
    if (at >= 0) item = this.#removeDeferred(at)
    else for (const lane of this.#lanes ?? []) item ??= lane?.pick(matches)
    if (item === undefined) return this.#pickWaiting(matches)
    this.count--
    this.bytes -= item.body.length
    if (this.#waiting > 0) this.#admitWaiters()
    return item
  }

  /** Whether something in the lanes matches: a linear search. */
  someWaits(matches: (item: T) => boolean): boolean {
    return this.#lanes?.some((lane) => lane?.some(matches)) === true
  }

  /** Puts back what was just taken, to be taken first again. */
  putBack(item: T): void {
    this.#lane(item.priority).unshift(item)
    this.count++
    this.bytes += item.body.length
  }

  /**
   * Something that waits here is not wanted any more. Once a quarter of the mail may be such, their room is made free:
   * so the room that they take is bounded, and what looking for them costs too.
   */
  unwanted(isWanted: (item: T) => boolean): void {
    if (++this.#unwanted * 4 < this.count) return
    this.#unwanted = 0
    for (const lane of this.#lanes ?? []) {
      for (let rest = lane?.length ?? 0; rest > 0; rest--) {
        const item = lane?.shift() as T
        if (isWanted(item)) lane?.push(item)
        else {
          this.count--
          this.bytes -= item.body.length
        }
      }
    }
    if (this.#waiting > 0) this.#admitWaiters()
  }

  /** Keeps an item that cannot be handled in the present state; false when too many are kept. */
  defer(item: T): boolean {
    const deferred = (this.#deferred ??= [])
    if (!this.#mayKeep(item)) return false
    // An item that was tried again and deferred again goes back to its old place.
    deferred.splice(this.#retryAt, 0, item)
    this.#retryAt++
    this.#deferredBytes += item.body.length
    this.count++
    this.bytes += item.body.length
    return true
  }

  /** The deferred leave room for one envelope at least, and for half of the bytes: it may be the one that they wait for. */
  #mayKeep(item: T): boolean {
    const { deferred = DEFERRED_MAX, capacity = MAILBOX_COUNT_MAX, bytes = MAILBOX_BYTES_MAX } = this.#options
    return this.deferredCount < Math.min(deferred, capacity - 1) && this.#deferredBytes + item.body.length <= bytes / 2
  }

  /** The state has changed: the deferred are tried again, oldest first. */
  retry(): void {
    this.#retryAt = 0
  }

  /** Empties the mailbox, and tells those who wait that they were not let in. */
  drain(): T[] {
    const items: T[] = [...(this.#deferred ?? [])]
    for (const lane of this.#lanes ?? []) for (let item = lane?.shift(); item !== undefined; item = lane?.shift()) items.push(item)
    const waiters = this.#waiters
    this.#waiters = this.#lanes = this.#deferred = undefined
    this.#waiting = this.count = this.bytes = this.#retryAt = this.#deferredBytes = 0
    for (let waiter = waiters?.shift(); waiter !== undefined; waiter = waiters?.shift()) {
      if (waiter.gone) continue
      waiter.gone = true
      waiter.settle(false)
    }
    return items
  }

  #hasRoom(item: T): boolean {
    return this.count < (this.#options.capacity ?? MAILBOX_COUNT_MAX) && this.bytes + item.body.length <= (this.#options.bytes ?? MAILBOX_BYTES_MAX)
  }

  #lane(priority: Priority): Ring<T> {
    this.#lanes ??= [undefined, undefined, undefined]
    return (this.#lanes[priority] ??= new Ring())
  }

  #push(item: T): void {
    this.#lane(item.priority).push(item)
    this.count++
    this.bytes += item.body.length
  }

  #takeLane(): T | undefined {
    if (this.#lanes === undefined) return undefined
    const [high, normal, low] = this.#lanes
    const highs = high?.length ?? 0
    const normals = normal?.length ?? 0
    const lows = low?.length ?? 0
    // M3: a lane that had its run lets the lower ones have one turn, then starts anew.
    if (highs > 0 && (this.#highRun < PRIORITY_RUN || normals + lows === 0)) {
      this.#highRun++
      return high?.shift()
    }
    this.#highRun = 0
    if (normals > 0 && (this.#normalRun < PRIORITY_RUN || lows === 0)) {
      this.#normalRun++
      return normal?.shift()
    }
    this.#normalRun = 0
    return low?.shift()
  }

  #takeDeferred(deferred: T[]): T {
    const item = deferred[this.#retryAt]
    invariant(item !== undefined, 'a deferred item stands where it is to be tried')
    deferred.splice(this.#retryAt, 1)
    this.#deferredBytes -= item.body.length
    return item
  }

  #removeDeferred(at: number): T | undefined {
    if (at < this.#retryAt) this.#retryAt--
    const item = this.#deferred?.splice(at, 1)[0]
    this.#deferredBytes -= item?.body.length ?? 0
    return item
  }

  /** Drops the oldest of the least urgent, never one more urgent than the newcomer; nothing when that would not make room. */
  #makeRoom(item: T): Offer<T> {
    const dropped: T[] = []
    while (!this.#hasRoom(item)) {
      const lane = ([2, 1, 0] as const).find((priority) => priority >= item.priority && (this.#lanes?.[priority]?.length ?? 0) > 0)
      const oldest = lane === undefined ? undefined : this.#lanes?.[lane]?.shift()
      if (oldest === undefined) {
        for (const spared of dropped.toReversed()) this.putBack(spared)
        return { kind: 'dropped', items: [item] }
      }
      this.count--
      this.bytes -= oldest.body.length
      dropped.push(oldest)
    }
    this.#push(item)
    return { kind: 'dropped', items: dropped }
  }

  #pickWaiting(matches: (item: T) => boolean): T | undefined {
    const waiter = this.#waiters?.pick(({ gone, item }) => !gone && matches(item))
    if (waiter === undefined) return undefined
    waiter.gone = true
    this.#waiting--
    waiter.settle(true)
    if (this.#waiting > 0) this.#admitWaiters()
    return waiter.item
  }

  /** The senders that still wait, without the gone that were never skipped. */
  #living(): Ring<Waiter<T>> {
    const living = new Ring<Waiter<T>>()
    for (let waiter = this.#waiters?.shift(); waiter !== undefined; waiter = this.#waiters?.shift()) if (!waiter.gone) living.push(waiter)
    return living
  }

  #admitWaiters(): void {
    for (let waiter = this.#waiters?.peek(); waiter !== undefined; waiter = this.#waiters?.peek()) {
      if (!waiter.gone && !this.#hasRoom(waiter.item)) return
      this.#waiters?.shift()
      if (waiter.gone) continue
      this.#push(waiter.item)
      this.#waiting--
      waiter.gone = true
      waiter.settle(true)
    }
  }
}

const NO_OPTIONS: MailboxOptions = {}
