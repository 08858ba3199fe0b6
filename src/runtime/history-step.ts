/**
 * One step of a durable actor's history, as it is kept: ['history', address, n] with n from 1.
 * It holds the state whole: a step of long ago is then told as it was, whatever has become of the code since. Records
 * leave by blocks, in the batch of a later step.
 */
import { TroupeError } from '../ground/errors.js'
import type { Address } from './address.js'
import { pack, unpack } from './codec.js'
import type { Message } from './protocol.js'
import type { Outcome } from './replay.js'
import type { Change } from './store/store.js'

const VERSION = 1

/** Records that leave at once. */
const BLOCK = 64

/** What a step handled. */
export interface Handled {
  /** A message's type, or that of an event from within: a timer's, an effect's or a child's end. */
  readonly type: string
  readonly from: Address
  readonly body: Uint8Array | undefined
  readonly chart: boolean
}

export interface HistoryStep {
  readonly n: number
  /** Clock time. */
  readonly time: number
  readonly type: string
  readonly from: Address
  /** The message as it was sent; nothing for an event from within. */
  readonly message: Message | undefined
  /** What came of its effects, in the order of their ends. */
  readonly effects: readonly { readonly name: string; readonly outcome: Outcome }[]
  /** Why nothing else is known of it. */
  readonly damaged?: TroupeError
}

export interface KeptStep {
  readonly version: number
  /** The version of the definition that wrote the state, when it has one. */
  readonly by?: number
  readonly time: number
  readonly handled: Handled
  readonly effects: HistoryStep['effects']
  readonly state: Uint8Array
}

/** The changes that keep step `n` and forget what is older than the last `keep`. */
export function keepStep(address: Address, n: number, keep: number, step: Omit<KeptStep, 'version'>): Change[] {
  const gone = n % BLOCK === 0 ? Array.from({ length: BLOCK }, (_, i) => n - keep - i).filter((old) => old > 0) : []
  return [{ kind: 'put', key: ['history', address, n], value: pack({ version: VERSION, ...step }) }, ...gone.map((old): Change => ({ kind: 'remove', key: ['history', address, old] }))]
}

/** Throws `Incompatible` for what a later version of Troupe has kept. */
export function readStep(address: Address, value: Uint8Array): KeptStep {
  const kept = unpack(value) as KeptStep
  if (kept.version === VERSION) return kept
  throw new TroupeError('Incompatible', `the history of ${address} has version ${kept.version}, this is ${VERSION}`, 'open the store with the version of Troupe that wrote it, or a later one', { address })
}
