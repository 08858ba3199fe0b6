/**
 * The effects of one handler, told apart by the order in which it calls them, so that a handler that runs again after a
 * crash gets back what it already has.
 *
 * Invariants:
 * R1. A result is recorded before the handler sees it.
 * R2. A handler that runs again gets its results one at a time, in the order in which they were recorded: what it did
 *     between two of them it does again in the same order.
 * R3. An effect that has a record does not run; one that was cut off before its record runs again.
 * R4. The parts of a stream are seen before they are recorded, with its end; so they are given back at once when they are
 *     on record, and else the records of what was done between them wait for them.
 * R5. A call that is not the recorded one, or a record that nobody calls for, is `Incompatible`: the code has changed.
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

/** What a replay needs of the world. */
export interface ReplayPort {
  /** Keeps a result; resolves when it survives a crash. Gives what was kept instead, when something was already. */
  record(result: Recorded): Promise<Pick<Recorded, 'outcome' | 'now'>>
  /** Resolves once all that follows from what was just released has run. */
  settled(): Promise<void>
  now(): number
}

interface Call {
  readonly name: string
  readonly input: string
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** What a stream gave, part by part, and as a whole when it was read to its end. */
interface Said {
  readonly parts: unknown[]
  whole: unknown
}

/** Looks for the call of a record this often before it counts as never called. */
const LOOKS = 3

export class Replay {
  readonly #records: readonly Recorded[]
  readonly #positions: Set<number>
  readonly #port: ReplayPort
  readonly #calls = new Map<number, Call>()
  /** Results of effects that ran while the records were still being given back. */
  readonly #held: (() => void)[] = []
  /** Streams that have no record and are read while records are given back. */
  #streams = 0
  #replaying: boolean
  #next = 0
  /** The records that the handler has got back. */
  readonly #given = new Set<Recorded>()
  #now: number
  #failed: TroupeError | undefined

  /** `records` in the order of their recording; `began` is the clock time at which the handler first ran. */
  constructor(records: readonly Recorded[], began: number, port: ReplayPort) {
    this.#records = records
    this.#positions = new Set(records.map(({ at }) => at))
    this.#port = port
    this.#now = began
    this.#replaying = records.length > 0
    if (this.#replaying) queueMicrotask(() => void this.#giveBack())
  }

  /** Whether recorded results are still being given back. */
  get replaying(): boolean {
    return this.#replaying
  }

  /** The handler has ended: throws `Incompatible` when it left recorded effects uncalled. */
  ended(): void {
    if (this.#given.size < this.#records.length) this.#diverge('the code ends before its recorded effects')
    if (this.#failed !== undefined) throw this.#failed
  }

  /** The time that the handler sees: that of its latest recorded result, so that it is the same when it runs again. */
  get now(): number {
    return this.#now
  }

  /** Runs an effect, or gives back its recorded result. */
  run(name: string, input: string, effect: (at: number) => PromiseLike<unknown>): Promise<unknown> {
    const at = this.#next++
    if (this.#failed !== undefined) return Promise.reject(this.#failed)
    if (this.#positions.has(at)) return new Promise((resolve, reject) => this.#calls.set(at, { name, input, resolve, reject }))
    return Promise.resolve(effect(at)).then(
      (value) => this.#recorded({ at, name, input, outcome: { ok: true, value } }),
      (error: unknown) => this.#recorded({ at, name, input, outcome: { ok: false, error } }),
    )
  }

  /** A stream, or its recorded parts; gives what it came to when it is read to its end. */
  async *parts(name: string, input: string, begin: () => AsyncIterable<unknown> & PromiseLike<unknown>): AsyncGenerator<unknown, unknown> {
    const at = this.#next++
    if (this.#failed !== undefined) throw this.#failed
    const record = this.#records.find((each) => each.at === at)
    if (record !== undefined) return yield* this.#partsAgain(record, name, input)
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
      await this.#recorded({ at, name, input, outcome })
    }
    return said.whole
  }

  async *#partsAgain(record: Recorded, name: string, input: string): AsyncGenerator<unknown, unknown> {
    const changed = changedFrom(record, { name, input })
    if (changed !== undefined) throw this.#diverge(changed)
    this.#given.add(record)
    if (!record.outcome.ok) throw record.outcome.error
    const { parts, whole } = record.outcome.value as Said
    yield* parts
    return whole
  }

  #recorded(result: Omit<Recorded, 'now'>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const keep = (): void => void this.#keep({ ...result, now: this.#port.now() }, resolve, reject)
      if (this.#replaying) this.#held.push(keep)
      else keep()
    })
  }

  async #keep(result: Recorded, resolve: (value: unknown) => void, reject: (error: unknown) => void): Promise<void> {
    let kept: Pick<Recorded, 'outcome' | 'now'>
    try {
      kept = await this.#port.record(result)
    } catch (error) {
      return reject(error)
    }
    this.#now = kept.now
    if (kept.outcome.ok) resolve(kept.outcome.value)
    else reject(kept.outcome.error)
  }

  async #giveBack(): Promise<void> {
    for (const record of this.#records) {
      const call = await this.#callOf(record)
      if (this.#failed !== undefined) return
      if (this.#given.has(record)) continue
      const changed = call === undefined ? `${record.name} was recorded as effect ${record.at}, and the code no longer calls it` : changedFrom(record, call)
      if (call === undefined || changed !== undefined) return void this.#diverge(changed as string)
      this.#calls.delete(record.at)
      this.#given.add(record)
      this.#now = record.now
      if (record.outcome.ok) call.resolve(record.outcome.value)
      else call.reject(record.outcome.error)
      await this.#port.settled()
    }
    this.#replaying = false
    for (const keep of this.#held.splice(0)) keep()
  }

  async #callOf(record: Recorded): Promise<Call | undefined> {
    const { at } = record
    for (let look = 0; look < LOOKS && !this.#calls.has(at) && !this.#given.has(record); look = this.#streams > 0 ? 0 : look + 1) await this.#port.settled()
    return this.#calls.get(at)
  }

  #diverge(how: string): TroupeError {
    this.#failed = new TroupeError('Incompatible', `the handler no longer matches its journal: ${how}`, 'bring back the code that began it, or give the definition a version hook for it')
    this.#replaying = false
    for (const call of this.#calls.values()) call.reject(this.#failed)
    this.#calls.clear()
    for (const keep of this.#held.splice(0)) keep()
    return this.#failed
  }
}

const changedFrom = (was: Recorded, is: Pick<Recorded, 'name' | 'input'>): string | undefined =>
  is.name !== was.name ? `effect ${was.at} was ${was.name}, and is now ${is.name}` : is.input !== was.input ? `effect ${was.at}, ${was.name}, is now called with something else` : undefined
