import type { Address } from './address.js'

/** 0 overtakes 1, which overtakes 2; none is starved. */
export type Priority = 0 | 1 | 2
export const PRIORITY = { high: 0, normal: 1, low: 2 } as const
export type PriorityName = keyof typeof PRIORITY

declare const REPLY: unique symbol

/** Where an answer goes: plain data, so that a statechart can keep it in its context and reply later. */
export interface ReturnAddress<Reply = unknown> {
  readonly address: Address
  /** The ask to answer; 0 when the message wants no answer. */
  readonly ask: number
  /** For the compiler alone: what the asker takes for an answer. */
  readonly [REPLY]?: Reply
}

/** Why work was called off. The caller's wish, a reader that left and a process that ends are three different facts. */
export type CancelReason = 'caller' | 'reader-left' | 'deadline' | 'shutting-down' | 'actor-stopped' | 'actor-failed' | 'answered-elsewhere'
/** Whether it is the end of a life, and no wish: what a durable actor was doing is still to be done. */
export const ofLife = (reason: string): boolean => reason === 'shutting-down' || reason === 'actor-stopped' || reason === 'actor-failed'

/** How an envelope stands or ended: every envelope ends in exactly one of these ways. One that was forwarded has gone to another node, where its story goes on. */
export type Ending = 'waiting' | 'handled' | 'refused' | 'expired' | 'cancelled' | 'dead-lettered' | 'deferred' | 'forwarded'

/** Why an envelope that nobody will process became a dead letter. */
export type DeadReason = 'no-such-actor' | 'unhandled' | 'overloaded' | 'dropped' | 'expired' | 'failed' | 'stopped' | 'send-timeout' | 'refused' | 'invalid' | 'node-lost'

export interface Stamp {
  readonly id: number
  readonly to: Address
  readonly from: Address
  readonly type: string
  /** The ask that wants the answer, or 0. */
  readonly correlation: number
  /** The envelope that was being handled when this one was sent, or 0. */
  readonly cause: number
  /** Clock time after which nobody wants the answer, or 0. */
  readonly deadline: number
  readonly priority: Priority
  /** The first envelope of the chain that led here. */
  readonly trace: number
  /** The mail of a durable sender that led to it, or 0. */
  readonly sequence: number
  /** How often handling was tried before. */
  readonly attempt: number
}

/** A header and a packed body. The header never changes; `ending` and `tries` are the runtime's notes of what became of it. */
export class Envelope implements Stamp {
  ending: Ending = 'waiting'
  /** How often handling was tried here and failed. */
  tries: number
  /** Its place in the journal's log, for a durable actor; 0 otherwise. */
  entry = 0
  /** Clock time at which it came into the log. */
  began = 0
  /** Resolves once it is in the log. */
  kept: Promise<void> | undefined
  constructor(
    readonly id: number,
    readonly to: Address,
    readonly from: Address,
    readonly type: string,
    readonly body: Uint8Array,
    readonly correlation: number,
    readonly cause: number,
    readonly deadline: number,
    readonly priority: Priority,
    readonly trace: number,
    readonly sequence: number,
    readonly attempt: number,
  ) {
    this.tries = attempt
  }
}

/** What led to a message: all that is needed of the envelope that was being handled. */
export type Cause = Pick<Envelope, 'id' | 'trace' | 'deadline' | 'entry'>

/** A cause for what goes on after its envelope was handled: it keeps no body alive, and its deadline does not hold there. */
export const lasting = (cause: Cause | undefined): Cause | undefined => cause && { id: cause.id, trace: cause.trace, deadline: 0, entry: cause.entry }

/** Whether what becomes of it is still to be decided. */
export const isOpen = ({ ending }: Envelope): boolean => ending === 'waiting' || ending === 'deferred'

export const returnAddress = (envelope: Envelope): ReturnAddress => ({ address: envelope.from, ask: envelope.correlation })
