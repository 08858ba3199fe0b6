/** What nodes say to each other, and how it becomes bytes. */
import { TroupeError } from '../../ground/errors.js'
import type { Address } from '../address.js'
import { compact, pack, unpack } from '../codec.js'
import type { ActorEnding } from '../ref.js'
import type { Outcome } from '../replay.js'

/** What the log of one node keeps for another until that has it. */
export type Parcel =
  | { readonly t: 'mail'; readonly kind: MailKind; readonly envelope: Uint8Array }
  /** The outcome of an ask, for the log of whoever asked: the handler of its mail `of`. */
  | { readonly t: 'reply'; readonly to: Address; readonly of: number; readonly ask: number; readonly outcome: Outcome }

/** What its sender takes a message for: one that wants no answer may be told to anybody who has the type. */
export type MailKind = 'told' | 'request' | 'stream'

export type Word =
  /** Mail of a volatile sender; `leftMs` until nobody wants the answer, 0 for no such moment. */
  | { readonly t: 'mail'; readonly kind: MailKind; readonly leftMs: number; readonly envelope: Uint8Array }
  /** The numbers of the parcels that follow are those of this log. */
  | { readonly t: 'log'; readonly log: number }
  /** A parcel with its number in the sender's log; `again` when a former life may have had it. */
  | { readonly t: 'parcel'; readonly n: number; readonly again: boolean; readonly leftMs: number; readonly parcel: Uint8Array }
  /** All parcels up to this one are dealt with here, or in the log; of what they brought so much waits for room before its actor. */
  | { readonly t: 'have'; readonly n: number; readonly behind: number }
  /** The ask of this parcel is with a volatile actor: it is dealt with when its outcome is there. */
  | { readonly t: 'held'; readonly n: number; readonly ask: number }
  /** The mailbox has accepted it. */
  | { readonly t: 'taken'; readonly id: number }
  | { readonly t: 'outcome'; readonly id: number; readonly outcome: Outcome }
  | { readonly t: 'chunk'; readonly id: number; readonly value: unknown }
  /** So many chunks more have been read. */
  | { readonly t: 'read'; readonly id: number; readonly count: number }
  /** Nobody wants the outcome any more; with whom a durable actor asked, whose ask may be in the log. */
  | { readonly t: 'off'; readonly id: number; readonly to?: Address }
  | { readonly t: 'stop'; readonly id: number; readonly address: Address }
  | { readonly t: 'watch'; readonly id: number; readonly address: Address }
  | { readonly t: 'ended'; readonly id: number; readonly ending: ActorEnding }

const KINDS = new Set(['mail', 'log', 'parcel', 'have', 'held', 'taken', 'outcome', 'chunk', 'read', 'off', 'stop', 'watch', 'ended'] satisfies Word['t'][])

export const packWord = (word: Word): Uint8Array => compact(pack(word))

/** Throws `Incompatible` for what this version does not know. */
export function unpackWord(bytes: Uint8Array): Word {
  const word = unpack(bytes) as Word | undefined
  if (word !== null && typeof word === 'object' && KINDS.has(word.t)) return word
  throw new TroupeError('Incompatible', 'another node says what this one does not know', 'run the same version of Troupe on all nodes')
}

export const packParcel = (parcel: Parcel): Uint8Array => pack(parcel)
export const unpackParcel = (bytes: Uint8Array): Parcel => unpack(bytes) as Parcel
