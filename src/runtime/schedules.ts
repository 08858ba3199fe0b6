/**
 * Messages that leave by the clock.
 * Owns: which schedules there are, and up to which moment each has been dealt with.
 * Does not own: when one is due (due.ts), nor what becomes of its messages.
 *
 * Invariants:
 * S1. A moment is dealt with once: in a troupe with a store, the message to a durable actor and the moment are one batch.
 * S2. Moments are dealt with in their order. What was missed is dealt with as `late` says, before the next is waited for.
 * S3. A schedule that a former process left sleeps until its receiver's address or kind is taken.
 */
import type { Clock, Timer } from '../ground/clock.js'
import { TroupeError } from '../ground/errors.js'
import { OUTSIDE, kindOf, type Address } from './address.js'
import { pack, unpack } from './codec.js'
import { due, ON_TIME_MS, type Due, type Rhythm } from './due.js'
import { overloaded } from './endings.js'
import type { Envelope } from './envelope.js'
import { mailEntry } from './ledger.js'
import { LATE_MAX, SCHEDULES_MAX, STORE_RETRY_MS } from './limits.js'
import type { Parts } from './parts.js'
import { checkBody, type EventKey, type Message, type MessageOf, type Specs } from './protocol.js'
import type { Ref } from './ref.js'
import { damaged } from './store/sealed.js'
import { isStoreFailure } from './store/store.js'

/** What becomes of moments that passed while nobody ran: one message now, none, or one for each of the last `each`. */
export type Late = 'once' | 'skip' | { readonly each: number }

export type ScheduleOptions<S extends Specs = Specs> = Rhythm & {
  readonly to: Ref<S>
  readonly message: MessageOf<S, EventKey<S>>
  /** What becomes of moments that passed while nobody ran. Default `once`. */
  readonly late?: Late
}

export interface Schedule {
  readonly name: string
  readonly to: Address
  /** Clock time; nothing when there is none any more. */
  readonly next: number | undefined
  cancel(): Promise<void>
}

/** A schedule as the runtime takes it, its types forgotten. */
type AnySchedule = Rhythm & { readonly to: Ref; readonly message: Message; readonly late?: Late }

/** A schedule as it is kept. */
interface Kept {
  readonly rhythm: Rhythm
  readonly to: Address
  readonly message: Message
  readonly late: Late
  /** Where `every` counts from. */
  readonly anchor: number
  /** All moments up to this one are dealt with. */
  readonly dealt: number
}

const VERSION = 1

export class Schedules {
  readonly #parts: Parts
  readonly #running = new Map<string, Running>()
  /** What a former process left, until its receiver is there. */
  readonly #sleeping = new Map<string, Kept>()
  /** What cannot be read: a damaged one begins anew when it is set, one of a later version is left alone. */
  readonly #unread = new Map<string, TroupeError>()

  constructor(parts: Parts) {
    this.#parts = parts
    for (const { key, value } of parts.journal?.range(['schedule'], ['schedulf']) ?? []) {
      const name = key[1] as string
      const kept = readKept(name, value)
      if (!(kept instanceof TroupeError)) this.#sleeping.set(name, kept)
      else {
        this.#unread.set(name, kept)
        parts.log(name, [kept])
      }
    }
  }

  get list(): Schedule[] {
    return [...this.#running.values()]
  }

  /** Sets a schedule, or goes on with one that says the same. Throws `InvalidDefinition`, `InvalidMessage`, or `Incompatible` for one that a later version keeps. */
  async set(name: string, options: AnySchedule): Promise<Schedule> {
    const { to, message, late = 'once' } = options
    const rhythm: Rhythm = options.cron === undefined ? { every: options.every } : { cron: options.cron, timeZone: options.timeZone ?? 'UTC' }
    if (typeof late === 'object' && !(Number.isInteger(late.each) && late.each >= 1 && late.each <= LATE_MAX)) throw new TroupeError('InvalidDefinition', `the schedule ${name} fires for each of ${late.each} missed moments`, `give a whole number from 1 to ${LATE_MAX}`)
    const spec = to.protocol.specs[message.type]
    if (spec?.kind !== 'event') throw new TroupeError('InvalidMessage', `${message.type} is no event of ${to.address}`, 'a schedule tells events')
    checkBody(spec, message)
    // Every node sets it in the same words; the one that has its receiver keeps it.
    if (this.#parts.nodes?.isAway(to.address) === true) return { name, to: to.address, next: undefined, cancel: () => Promise.resolve() }
    const unread = this.#unread.get(name)
    if (unread?.code === 'Incompatible') throw unread
    this.#unread.delete(name)
    const now = this.#parts.clock.now()
    const former = this.#running.get(name)?.kept ?? this.#sleeping.get(name)
    const same = former !== undefined && fingerprintOf(former) === fingerprintOf({ rhythm, to: to.address, message })
    const kept: Kept = { rhythm, to: to.address, message, late, anchor: same ? former.anchor : now, dealt: same ? former.dealt : now }
    if (former === undefined && this.#running.size + this.#sleeping.size >= SCHEDULES_MAX) throw overloaded(`${SCHEDULES_MAX} schedules are set`, 0)
    const reckoned = due(rhythm, kept.anchor)
    this.#running.get(name)?.stop()
    this.#sleeping.delete(name)
    const running = this.#run(name, kept, reckoned)
    await running.keep(kept)
    return running
  }

  /** An address or a kind was taken: what was left for it goes on. */
  registered(address: Address): void {
    for (const [name, kept] of this.#sleeping) {
      if ((kept.to !== address && kindOf(kept.to) !== address) || this.#parts.nodes?.isAway(kept.to) === true) continue
      this.#sleeping.delete(name)
      this.#run(name, kept, due(kept.rhythm, kept.anchor))
    }
  }

  #run(name: string, kept: Kept, reckoned: Due): Running {
    const running = new Running(name, kept, reckoned, this.#parts, () => this.#running.delete(name))
    this.#running.set(name, running)
    running.begin()
    return running
  }

  stop(): void {
    for (const running of this.#running.values()) running.stop()
  }
}

/** A kept schedule, or why it cannot be read: the others are not concerned. */
function readKept(name: string, value: Uint8Array | undefined): Kept | TroupeError {
  const whose = `the schedule ${name}`
  if (value === undefined) return damaged(whose)
  try {
    const [version, kept] = unpack(value) as [number, Kept]
    if (version !== VERSION) return new TroupeError('Incompatible', `${whose} has version ${version}, this is ${VERSION}`, 'open the store with the version of Troupe that wrote it, or a later one')
    due(kept.rhythm, kept.anchor)
    return kept
  } catch (error) {
    return damaged(whose, error)
  }
}

const fingerprintOf = ({ rhythm, to, message }: Pick<Kept, 'rhythm' | 'to' | 'message'>): string => JSON.stringify([rhythm, to, Buffer.from(pack(message)).toString('base64')])

class Running implements Schedule {
  readonly name: string
  kept: Kept
  readonly #due: Due
  readonly #parts: Parts
  readonly #clock: Clock
  readonly #onEnd: () => void
  #timer: Timer | undefined
  #stopped = false

  constructor(name: string, kept: Kept, reckoned: Due, parts: Parts, onEnd: () => void) {
    this.name = name
    this.kept = kept
    this.#due = reckoned
    this.#parts = parts
    this.#clock = parts.clock
    this.#onEnd = onEnd
  }

  get to(): Address {
    return this.kept.to
  }
  get next(): number | undefined {
    return this.#stopped ? undefined : this.#due.after(this.kept.dealt)
  }

  /** What was missed waits for the next turn: whoever sets it anew in this one decides what becomes of that. */
  begin(): void {
    const { next } = this
    if (next === undefined) return this.#end()
    this.#timer = this.#clock.timer(Math.max(0, next - this.#clock.now()), () => void this.#fire(next), true)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async cancel(): Promise<void> {
    this.#end()
    await this.#parts.journal?.keepBeside({ kind: 'remove', key: ['schedule', this.name] })
  }

  #end(): void {
    this.stop()
    this.#onEnd()
  }

  async #fire(expected: number): Promise<void> {
    const now = this.#clock.now()
    const { late, dealt } = this.kept
    const passed = this.#due.last(typeof late === 'object' ? Math.max(late.each, 2) : 2, dealt, now)
    // Nobody was late for the one moment that was waited for.
    const onTime = passed.length <= 1 && now - expected <= ON_TIME_MS
    const moments = onTime ? passed : passed.slice(late === 'skip' ? passed.length : late === 'once' ? -1 : -late.each)
    try {
      for (const at of moments) {
        if (this.#stopped) return
        await this.#tell({ ...this.kept, dealt: at })
      }
      const last = passed.at(-1)
      if (last !== undefined && last > this.kept.dealt) await this.keep({ ...this.kept, dealt: last })
    } catch (error) {
      if (!isStoreFailure(error)) this.#parts.log(this.to, [`the schedule ${this.name} could not send:`, error])
      if (!this.#stopped) this.#timer = this.#clock.timer(STORE_RETRY_MS, () => void this.#fire(expected), true)
      return
    }
    if (!this.#stopped) this.begin()
  }

  /** S1 */
  async #tell(kept: Kept): Promise<void> {
    const { router, post, journal } = this.#parts
    const cell = router.cell(kept.to)
    if (journal === undefined || cell?.ledger === undefined) {
      await this.keep(kept)
      void post.tell(this.#parts.ref(ANYTHING, kept.to), kept.message)
      return
    }
    const envelope = post.stamp(cell, kept.message, 'event', { address: OUTSIDE, cause: undefined, asker: undefined })
    const [n] = await this.keep(kept, envelope)
    this.#deliver(envelope, n as number)
  }

  /** It is in the log: whoever is at the address by now gets it, or the next life does. */
  #deliver(envelope: Envelope, n: number): void {
    const { router, wakes } = this.#parts
    envelope.entry = n
    const cell = router.awake(envelope.to)
    cell?.ledger?.arrived(envelope, n, this.#clock.now())
    if (cell === undefined) wakes.wake(envelope.to)
    else if (cell.accept(envelope) === 'full') cell.awaitRoom(envelope, () => {})
  }

  async keep(kept: Kept, mail?: Envelope): Promise<readonly number[]> {
    const numbers = await this.#parts.journal?.keepBeside({ kind: 'put', key: ['schedule', this.name], value: pack([VERSION, kept]) }, mail === undefined ? [] : [mailEntry(undefined, mail)])
    this.kept = kept
    return numbers ?? []
  }
}

const ANYTHING = { specs: {} }
