/** What a durable actor did, step by step, read from the store. */
import { TroupeError } from '../ground/errors.js'
import { checkAddress, type Address } from './address.js'
import { pack, unpack } from './codec.js'
import { keepStep, readStep, type HistoryStep } from './history-step.js'
import type { Journal } from './journal.js'
import { effectMail, type KeptChart, type KeptSnapshot } from './kept-snapshot.js'
import { mailEntry } from './ledger.js'
import type { Message } from './protocol.js'
import { damaged } from './store/sealed.js'

/** The history of one actor, read from the store. */
export class History<State = unknown> {
  readonly #journal: Journal
  readonly #address: Address

  constructor(journal: Journal, address: Address) {
    this.#journal = journal
    this.#address = address
  }

  /** The steps that are kept, oldest first; of one that is damaged only its number and that it is. */
  get steps(): readonly HistoryStep[] {
    const { steps = 0, keep = 0 } = this.#journal.record(this.#address)?.history ?? {}
    const first = Math.max(1, steps - keep + 1)
    return Array.from(this.#journal.range(['history', this.#address, first], ['history', this.#address, Infinity]), ({ key, value }) => {
      const n = key[2] as number
      if (value === undefined) return { n, time: 0, type: '', from: '', message: undefined, effects: [], damaged: damaged(this.#address) }
      const { time, handled: { type, from, body }, effects } = readStep(this.#address, value)
      return { n, time, type, from, message: body === undefined ? undefined : (unpack(body) as Message), effects }
    })
  }

  /** The state after a step; of a chart its `value`, `context` and `status`. Nothing runs for it. Throws `Gone` for a step that is not kept. */
  at(n: number): State {
    const { state, chart } = this.#stateAt(n)
    if (!chart) return state as State
    const { value, context, status } = (state as KeptChart).snapshot
    return { value, context, status } as State
  }

  /**
   * Lets an actor begin at another address from where this one was after a step. What this one owed by then, it still
   * owes; effects that were under way begin anew. Throws `Gone`, or `InvalidDefinition` when the address has had an actor.
   */
  async fork(n: number, to: Address): Promise<void> {
    const { state, chart, time, by } = this.#stateAt(n)
    if (this.#journal.record(checkAddress(to)) !== undefined || this.#journal.waits(to)) throw new TroupeError('InvalidDefinition', `${to} is taken`, 'fork to an address that no durable actor has had', { address: to })
    const kept = chart ? { ...(state as KeptChart), owed: [] } : state
    const effects = chart ? Object.entries((state as KeptChart).snapshot.children).flatMap(([id, { name }]) => (name === undefined ? [id] : [])) : []
    const due = chart ? (state as KeptChart).due.map(([, { at }]) => at) : []
    const packed = pack(kept)
    const version = by !== undefined && by !== 0 ? { by } : {}
    const beside = keepStep(to, 1, 1, { ...version, time, handled: { type: 'forked', from: this.#address, body: undefined, chart }, effects: [], state: packed })
    await this.#journal.begin(to, { ...version, state: packed, high: 0, open: [], alarm: due.length === 0 ? undefined : Math.min(...due), history: { steps: 1, keep: 1 } }, effects.map((child) => mailEntry(undefined, effectMail(to, child))), beside)
  }

  #stateAt(n: number): { readonly state: unknown; readonly chart: boolean; readonly time: number; readonly by: number | undefined } {
    const value = this.#journal.get(['history', this.#address, n])
    const { steps = 0, keep = 0 } = this.#journal.record(this.#address)?.history ?? {}
    if (value === undefined || n <= steps - keep) throw new TroupeError('Gone', `step ${n} of ${this.#address} is not kept`, 'give its definition `history: { keep }` for more steps; `steps` lists those that are kept', { address: this.#address })
    const { time, handled, state, by } = readStep(this.#address, value)
    return { state: unpack(state), chart: handled.chart, time, by }
  }
}

export type ChartState<Context = unknown> = Pick<KeptSnapshot, 'value' | 'status'> & { readonly context: Context }
