/**
 * The effects of one handler, told apart by the order in which it calls them, so that a handler that runs again after a
 * crash gets back what it already has.
 *
 * Invariants:
 * R1. A result is recorded before the handler sees it.
 * R2. A handler gets its results one at a time, in the order in which they were recorded (in-order.ts); so it does when it
 *     runs again, and what it did between two of them it does again in the same order.
 * R3. An effect that has a record does not run; one that was cut off before its record runs again.
 * R4. The parts of a stream are seen before they are recorded, with its end; so they are given back at once when they are
 *     on record, and else the records of what was done between them wait for them.
 * R5. The code has changed, and the handler is `Incompatible`, when it calls something else where a record stands, when it
 *     ends with records that it never called for, or when it waits for what comes later in the records than what it has
 *     yet to call. How long it takes between two calls says nothing.
 * R6. A handler that failed runs again without the failures that it did not get over, and with every success.
 */
import { TroupeError } from '../ground/errors.js'

/** What came of an effect. */
export type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown }

/** One recorded result. */
export interface Recorded {
  /** The how-manieth effect of its handler, from 0. */
  readonly at: number
  /** What was called, such as `ask bank/main balance` or `step pay`. */
  readonly name: string
  /** A hash of what it was called with. */
  readonly input: string
  readonly outcome: Outcome
  /** Clock time when it was recorded. */
  readonly now: number
}

/** What a handler that failed leaves behind. */
export interface Failed {
  /** The effects whose failures it got over. All others that failed run again. */
  readonly over: readonly number[]
  /** Effects from this one on were called after such a failure: another way may be taken the next time. */
  readonly from: number
  /** Messages that it had sent by then; later ones are sent again. */
  readonly sent: number
}

/** What a replay needs of the world. */
export interface ReplayPort {
  /** Keeps a result; resolves when it survives a crash. Gives what was kept instead, when something was already. */
  record(result: Recorded): Promise<Pick<Recorded, 'outcome' | 'now'>>
  /** Resolves once all that follows from what was just released has run. */
  settled(): Promise<void>
  now(): number
  /** Messages that the handler has sent so far. */
  sent(): number
  /** Calls back once that much time has passed, unless it is cancelled first. */
  timer(ms: number, fire: () => void): { cancel(): void }
}

interface Call {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** What a stream gave, part by part, and as a whole when it was read to its end. */
interface Said {
  readonly parts: unknown[]
  whole: unknown
}

/** How long a handler that waits for a later record may take to call for the one before it. */
const PATIENCE_MS = 60_000

export class Replay {
  readonly #records: readonly Recorded[]
  readonly #byPlace: ReadonlyMap<number, Recorded>
  /** Successes of a former try that took another way: whoever calls for the same has them. */
  readonly #spare: Recorded[]
  readonly #port: ReplayPort
  readonly #calls = new Map<number, Call>()
  /** Results of effects that ran while the records were still being given back wait here. */
  readonly #held: (() => void)[] = []
  /** Streams that have no record and are read while records are given back. */
  #streams = 0
  /** Effects whose results the handler has not seen yet. */
  #open = 0
  /** The failures that the handler saw, and how many effects it had called and messages sent by then. */
  readonly #failures = new Map<number, { readonly error: unknown; readonly next: number; readonly sent: number }>()
  /** Goes on with the record that is to be called for. */
  #onCall: (() => void) | undefined
  #replaying: boolean
  #next = 0
  /** The records that the handler has got back. */
  readonly #given = new Set<Recorded>()
  #now: number
  #failed: TroupeError | undefined

  /** `records` in the order of their recording; `began` is the clock time at which the handler first ran. */
  constructor(records: readonly Recorded[], began: number, port: ReplayPort, spare: readonly Recorded[] = []) {
    this.#records = records
    this.#byPlace = new Map(records.map((record) => [record.at, record]))
    this.#spare = [...spare]
    this.#port = port
    this.#now = began
    this.#replaying = records.length > 0
    if (this.#replaying) queueMicrotask(() => void this.#giveBack())
  }

  /** Whether recorded results are still being given back. */
  get replaying(): boolean {
    return this.#replaying
  }

  /** Effects that have begun and not ended, streams being read among them. */
  get underWay(): number {
    return this.#open + this.#streams
  }

  /** Whether the handler has done more in a former life than it has come to now. */
  get hasMore(): boolean {
    return this.#given.size < this.#records.length
  }

  /** What it has done in a former life and has not come to now. */
  get missing(): Recorded | undefined {
    return this.#records.find((record) => !this.#given.has(record))
  }

  /** Why it can never come to that. */
  get divergence(): TroupeError | undefined {
    return this.#failed
  }

  /** The handler has ended: throws `Incompatible` when it left recorded effects uncalled. */
  ended(): void {
    if (this.#given.size < this.#records.length) this.#diverge('the code ends before its recorded effects')
    if (this.#failed !== undefined) throw this.#failed
  }

  /** The handler has failed with this error: what is to be forgotten of it when it runs again. */
  failedWith(error: unknown): Failed {
    const seen = [...this.#failures]
    const causes = causesOf(error)
    let fatal = seen.filter(([, failure]) => causes.has(failure.error))
    // An error of its own that follows from a failure, without naming it as its cause.
    if (fatal.length === 0) fatal = seen.slice(-1).filter(([, failure]) => failure.next === this.#next)
    const { next, sent } = fatal[0]?.[1] ?? { next: this.#next, sent: this.#port.sent() }
    return { over: seen.filter((each) => !fatal.includes(each)).map(([at]) => at), from: next, sent }
  }

  /** The time that the handler sees: that of its latest recorded result, so that it is the same when it runs again. */
  get now(): number {
    return this.#now
  }

  /** Runs an effect, or gives back its recorded result. */
  run(name: string, input: string, effect: (at: number) => PromiseLike<unknown>): Promise<unknown> {
    const at = this.#next++
    const record = this.#byPlace.get(at)
    this.#compare(at, name, input)
    if (this.#failed !== undefined) return Promise.reject(this.#failed)
    if (record !== undefined) {
      return new Promise((resolve, reject) => {
        this.#calls.set(at, { resolve, reject })
        this.#onCall?.()
      })
    }
    return this.#record(at, name, input, this.#takeSpare(name, input) ?? effect)
  }

  /** Records what came of an effect, which may be to run still, before the handler sees it. */
  async #record(at: number, name: string, input: string, came: Outcome | ((at: number) => PromiseLike<unknown>)): Promise<unknown> {
    this.#open++
    try {
      const outcome = typeof came === 'function' ? await settled(came, at) : came
      if (this.#replaying) await this.#allGivenBack()
      // What code that is not the recorded one has done is no result of the recorded one.
      if (this.#failed !== undefined) throw this.#failed
      const kept = await this.#port.record({ at, name, input, outcome, now: this.#port.now() })
      this.#sees(at, kept)
      if (!kept.outcome.ok) throw kept.outcome.error
      return kept.outcome.value
    } finally {
      this.#open--
    }
  }

  #allGivenBack(): Promise<void> {
    return new Promise((resolve) => {
      this.#held.push(resolve)
      this.#onCall?.()
    })
  }

  #compare(at: number, name: string, input: string): void {
    const was = this.#byPlace.get(at)
    if (was === undefined) return
    if (was.name !== name) this.#diverge(`effect ${at} was ${was.name}, and is now ${name}`)
    else if (was.input !== input) this.#diverge(`effect ${at}, ${name}, is now called with something else`)
  }

  #takeSpare(name: string, input: string): Outcome | undefined {
    if (this.#spare.length === 0) return undefined
    const place = this.#spare.findIndex((had) => had.name === name && had.input === input)
    return place < 0 ? undefined : this.#spare.splice(place, 1)[0]?.outcome
  }

  /** A stream, or its recorded parts; gives what it came to when it is read to its end. */
  async *parts(name: string, input: string, begin: () => AsyncIterable<unknown> & PromiseLike<unknown>): AsyncGenerator<unknown, unknown> {
    const at = this.#next++
    const record = this.#byPlace.get(at)
    this.#compare(at, name, input)
    if (this.#failed !== undefined) throw this.#failed
    if (record !== undefined) return yield* this.#partsAgain(record)
    const said: Said = { parts: [], whole: undefined }
    let outcome: Outcome = { ok: true, value: said }
    this.#streams++
    try {
      const call = begin()
      for await (const part of call) {
        said.parts.push(part)
        yield part
      }
      said.whole = await call
    } catch (error) {
      outcome = { ok: false, error }
    } finally {
      this.#streams--
      // A reader that leaves the loop has its end too.
      await this.#record(at, name, input, outcome)
    }
    return said.whole
  }

  async *#partsAgain(record: Recorded): AsyncGenerator<unknown, unknown> {
    this.#given.add(record)
    this.#onCall?.()
    if (!record.outcome.ok) {
      this.#failures.set(record.at, { error: record.outcome.error, next: this.#next, sent: this.#port.sent() })
      throw record.outcome.error
    }
    const { parts, whole } = record.outcome.value as Said
    yield* parts
    return whole
  }

  /** The handler sees a result. */
  #sees(at: number, { outcome, now }: Pick<Recorded, 'outcome' | 'now'>): void {
    this.#now = now
    if (!outcome.ok) this.#failures.set(at, { error: outcome.error, next: this.#next, sent: this.#port.sent() })
  }

  async #giveBack(): Promise<void> {
    for (const record of this.#records) {
      const call = await this.#callOf(record)
      if (this.#failed !== undefined) return
      if (this.#given.has(record)) continue
      if (call === undefined) return this.#diverge(`it waits for other effects before it calls ${record.name}, which was recorded as effect ${record.at} before them`)
      this.#calls.delete(record.at)
      this.#given.add(record)
      this.#sees(record.at, record)
      if (record.outcome.ok) call.resolve(record.outcome.value)
      else call.reject(record.outcome.error)
      await this.#port.settled()
    }
    this.#replaying = false
    for (const keep of this.#held.splice(0)) keep()
  }

  /** The call for a record, whenever it comes; nothing when the handler waits for what comes after it, and goes on waiting. */
  #callOf(record: Recorded): Promise<Call | undefined> {
    const { at } = record
    const isThere = (): boolean => this.#calls.has(at) || this.#given.has(record) || this.#failed !== undefined
    if (isThere()) return Promise.resolve(this.#calls.get(at))
    return new Promise((resolve) => {
      let patience: { cancel(): void } | undefined
      const end = (): void => {
        this.#onCall = undefined
        patience?.cancel()
        resolve(this.#calls.get(at))
      }
      const look = (): void => {
        if (isThere()) end()
        else if (this.#streams === 0 && this.#calls.size + this.#held.length > 0) patience ??= this.#port.timer(PATIENCE_MS, end)
      }
      this.#onCall = look
      look()
    })
  }

  #diverge(how: string): void {
    if (this.#failed !== undefined) return
    this.#failed = new TroupeError('Incompatible', `the handler no longer matches its journal: ${how}`, 'bring back the code that began it, or give the definition a version hook for it')
    this.#replaying = false
    for (const call of this.#calls.values()) call.reject(this.#failed)
    this.#calls.clear()
    for (const keep of this.#held.splice(0)) keep()
    this.#onCall?.()
  }
}

async function settled(effect: (at: number) => PromiseLike<unknown>, at: number): Promise<Outcome> {
  try {
    return { ok: true, value: await effect(at) }
  } catch (error) {
    return { ok: false, error }
  }
}

/** Most errors that one error may stand for, its causes and theirs. */
const CAUSES_MAX = 100

/** An error, its causes, and those that it gathers. */
function causesOf(error: unknown): Set<unknown> {
  const causes = new Set([error])
  // What is added on the way is looked at too.
  for (const each of causes) {
    if (!(each instanceof Error) || causes.size > CAUSES_MAX) continue
    if (each.cause !== undefined) causes.add(each.cause)
    if (each instanceof AggregateError) for (const one of each.errors) causes.add(one)
  }
  return causes
}
