import { TroupeError } from '../ground/errors.js'
import type { Address } from './address.js'
import type { Kernels } from './effects.js'
import { HISTORY_KEEP } from './limits.js'
import type { MailboxOptions } from './mailbox.js'
import type { Me } from './me.js'
import type { BodyOf, ChunkOf, EventsOf, MessageOf, Protocol, ReplyOf, Specs } from './protocol.js'
import { placeholder } from './stand-ins.js'
import type { Strategy, SupervisionPolicy } from './supervision.js'
import { isMachine, type ActorLogic, type AnyStateMachine, type ContextFrom, type StateValue, type EventFromLogic, type InputFrom, type OutputFrom, type Snapshot } from './xstate.js'

/** What a handler may return for one message. */
type Answer<S extends Specs, K extends keyof S & string> = S[K]['kind'] extends 'event'
  ? void | Promise<void>
  : S[K]['kind'] extends 'request'
    ? ReplyOf<S, K> | Promise<ReplyOf<S, K>>
    : AsyncIterable<ChunkOf<S, K>> | Iterable<ChunkOf<S, K>>

/** One handler for each message of the protocol. */
export type Handlers<S extends Specs, State> = { readonly [K in keyof S & string]: (message: MessageOf<S, K>, me: Me<S, State>) => Answer<S, K> }

/** Who an actor is, for a state or an input that depends on it. */
export interface Identity {
  readonly address: Address
  /** The part of the address after `/`, or `''`. */
  readonly key: string
}

/** A timer whose moment has passed. */
export interface LateTimer {
  /** The type of the event that it brings; for an `after`, `xstate.after.<delay>.<state>`. */
  readonly event: string
  readonly lateMs: number
}

export interface Options {
  readonly mailbox?: MailboxOptions
  /** What happens when this actor fails. */
  readonly supervise?: SupervisionPolicy
  /** Whom the restart of one of this actor's children takes along. Default `one-for-one`. */
  readonly strategy?: Strategy
  /** How often a failing envelope is tried again before it is set aside. Default 0, and 3 for a durable actor. */
  readonly retries?: number
  /** Whether trying again may help after this error; where not, the envelope is set aside at once. Default always. */
  readonly retryWhen?: (error: unknown) => boolean
  /** Keeps what the actor accepts and commits in the troupe's store. Default false. */
  readonly durable?: boolean
  /** Keeps what each of a durable actor's steps handled and came to, for `troupe.history`: the last 1,000, or `keep`. Default none. */
  readonly history?: true | { readonly keep: number }
  /** The version of the definition, which a durable actor's records carry. Default 0. */
  readonly version?: number
  /** How what an older version left becomes what this one takes. */
  readonly upcast?: { readonly state?: (old: never, from: number) => unknown; readonly messages?: Readonly<Record<string, ((old: never, from: number) => unknown) | undefined>> }
  /** What becomes of a timer of a durable machine whose moment passed while nobody ran: it fires now, once, or never. Default `once` for all. */
  readonly late?: (timer: LateTimer) => 'once' | 'skip'
  /** Handlers under way at once, for plain handlers without state. Default 1. */
  readonly concurrency?: number
  /** How long a released outbox waits for its receivers. Default 5 s. */
  readonly sendTimeoutMs?: number
  /** What the actor needs from outside the runtime, loaded when the first one that needs it starts. */
  readonly needs?: { readonly kernels: () => Promise<{ readonly createHost: () => Promise<Kernels & { stop(): Promise<void> }> }> }
}

/** The bodies that older versions of the messages become. */
type MessagesUp<S extends Specs> = { readonly [K in keyof S & string]?: (old: never, from: number) => Omit<MessageOf<S, K>, 'type'> }

export interface HandlerLogic<S extends Specs, State> extends Options {
  /** How a state and messages that an older version left become those of this one; `from` is that version. */
  readonly upcast?: { readonly state?: (old: never, from: number) => NoInfer<State>; readonly messages?: MessagesUp<NoInfer<S>> }
  /** The state of a new or restarted actor. */
  readonly state?: (identity: Identity) => State
  readonly on: Handlers<S, State>
  /** Runs before the first message, and again after each restart. */
  readonly started?: (me: Me<S, State>) => void | Promise<void>
  /** Runs when the actor stops or is about to restart. */
  readonly stopped?: (me: Me<S, State>) => void
}

/** Handlers as the runtime calls them, their types forgotten. */
export interface AnyHandlers {
  readonly state?: (identity: Identity) => unknown
  readonly on: Readonly<Record<string, (message: never, me: never) => unknown>>
  readonly started?: (me: never) => unknown
  readonly stopped?: (me: never) => unknown
}

export type Logic = { readonly kind: 'handlers'; readonly handlers: AnyHandlers } | { readonly kind: 'machine'; readonly machine: AnyStateMachine; readonly input: ((identity: Identity) => unknown) | undefined }

/** Protocol, logic and options: all that it takes to run an actor. */
export interface Definition<S extends Specs = Specs> {
  readonly protocol: Protocol<S>
  readonly logic: Logic
  readonly options: Options
}

/** A definition is XState logic too, so that a chart can invoke or spawn it; its cell then runs it as a child. */
export type Invocable<S extends Specs, Output = unknown, Input = unknown> = Definition<S> & ActorLogic<Snapshot<Output>, MessageOf<S, keyof S & string>, Input>

/** What the machine does not take, spelled out in the compile error. */
interface MachineMustTake<Missing> {
  readonly 'the machine does not take': Missing
}
interface FromIsTaken<Types> {
  readonly "a chart's event says in `from` where it came from; rename that field of": Types
}
type WithFrom<S extends Specs> = { [K in keyof S & string]: 'from' extends keyof BodyOf<S[K]> ? K : never }[keyof S & string]
type Accepts<M extends AnyStateMachine, S extends Specs> = [WithFrom<S>] extends [never] ? Takes<M, S> : FromIsTaken<WithFrom<S>>
type Takes<M extends AnyStateMachine, S extends Specs> = [Exclude<EventsOf<Protocol<S>>, EventFromLogic<M>>] extends [never] ? M : MachineMustTake<Exclude<EventsOf<Protocol<S>>, EventFromLogic<M>>>

export interface MachineOptions extends Omit<Options, 'upcast'> {
  /** The machine's input, when a spawn gives none. */
  readonly input?: (identity: Identity) => unknown
}

export interface UpcastMachineOptions<S extends Specs, M extends AnyStateMachine> extends MachineOptions {
  /** How a state and messages that an older version left become those of this one; `from` is that version. */
  readonly upcast?: { readonly state?: (old: never, from: number) => { readonly value: StateValue; readonly context: ContextFrom<M> }; readonly messages?: MessagesUp<S> }
}

/**
 * Defines an actor by its protocol and its logic: plain handlers, or an XState machine that takes the protocol's
 * messages as events. Throws `InvalidDefinition` for options that contradict each other.
 */
export function actor<S extends Specs, M extends AnyStateMachine>(protocol: Protocol<S>, machine: M & Accepts<M, S>, options?: UpcastMachineOptions<NoInfer<S>, NoInfer<M>>): Invocable<S, OutputFrom<M>, InputFrom<M>>
export function actor<S extends Specs, State = undefined>(protocol: Protocol<S>, handlers: HandlerLogic<S, State>): Invocable<S>
export function actor(protocol: Protocol, logic: AnyStateMachine | (AnyHandlers & Options), machineOptions: MachineOptions = {}): Definition {
  if (isMachine(logic)) return define(protocol, { kind: 'machine', machine: logic, input: machineOptions.input }, machineOptions)
  const missing = Object.keys(protocol.specs).filter((type) => !Object.hasOwn(logic.on, type))
  if (missing.length > 0) {
    throw new TroupeError('InvalidDefinition', `no handler for ${missing.join(', ')}`, 'give `on` a handler for each message of the protocol')
  }
  if ((logic.concurrency ?? 1) > 1 && logic.durable === true) {
    throw new TroupeError('InvalidDefinition', `concurrency ${logic.concurrency} and durable`, 'a durable actor handles one message at a time: leave out one of the two, or use keyed actors')
  }
  if ((logic.concurrency ?? 1) > 1 && logic.state !== undefined) {
    throw new TroupeError('InvalidDefinition', `concurrency ${logic.concurrency} with a state`, 'handlers that run at once cannot share a state: leave out one of the two, or use a pool')
  }
  return define(protocol, { kind: 'handlers', handlers: logic }, logic)
}

function define(protocol: Protocol, logic: Logic, options: Options): Definition {
  for (const [name, value, least] of [
    ['concurrency', options.concurrency, 1],
    ['retries', options.retries, 0],
    ['version', options.version, 0],
    ['history.keep', typeof options.history === 'object' ? options.history.keep : undefined, 1],
    ['mailbox.capacity', options.mailbox?.capacity, 1],
    ['mailbox.bytes', options.mailbox?.bytes, 1],
  ] as const) {
    if (value !== undefined && !(Number.isInteger(value) && value >= least)) {
      throw new TroupeError('InvalidDefinition', `${name} is ${value}`, `give a whole number from ${least}`)
    }
  }
  if (options.late !== undefined && (options.durable !== true || logic.kind !== 'machine')) throw new TroupeError('InvalidDefinition', '`late` for timers that are not kept', 'it is for the timers of durable machines: leave it out')
  if (options.history !== undefined && options.durable !== true) throw new TroupeError('InvalidDefinition', 'a history without durable', 'give durable: true, or leave out the history')
  return { ...placeholder<unknown, unknown>({}), protocol, logic, options }
}

/** How many steps the history of its actors keeps; 0 for none. */
export const historyOf = ({ options: { history } }: Definition): number => (history === undefined ? 0 : history === true ? HISTORY_KEEP : history.keep)

export const isDefinition = (logic: unknown): logic is Definition => typeof logic === 'object' && logic !== null && 'protocol' in logic && 'options' in logic

/** Takes whatever its parent sends: for a machine that a chart runs as a child without a definition of its own. A durable chart's is durable too. */
export const childMachine = (machine: AnyStateMachine, durable: boolean): Definition => define({ specs: Object.freeze(Object.create(null) as Specs) }, { kind: 'machine', machine, input: undefined }, durable ? { durable } : {})
