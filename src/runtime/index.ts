/**
 * The map of the runtime, in the order in which a message meets things.
 *
 * Say     protocol.ts, definition.ts, address.ts, ref.ts, envelope.ts, codec.ts, messagepack.ts, interceptors.ts, post.ts
 * Carry   router.ts, keyed.ts, pool.ts, topics.ts, schedules.ts, due.ts, dead-letters.ts
 *         over nodes receiver.ts, transport/transport.ts, transport/nodes.ts, transport/remote.ts, transport/room.ts, transport/peer.ts, transport/owed.ts, transport/origin.ts, transport/word.ts, transport/link.ts, transport/arrivals.ts, transport/intake.ts,
 *         transport/envelope-of.ts, transport/writes.ts
 * Hold    admission.ts, mailbox.ts, dispatcher.ts, dozing.ts
 * Act     cell.ts, start-cell.ts, behaviour.ts, handlers.ts, handler-me.ts, step-work.ts, attempt.ts, waits.ts, me.ts, charted.ts, chart-children.ts, chart-plan.ts, chart-timers.ts, xstate.ts, stand-ins.ts, event-descriptor.ts, machine-effects.ts, effect-run.ts,
 *         effects.ts, inference.ts, supervision.ts, ask-cycle.ts
 * Commit  outbox.ts, endings.ts, set-aside.ts, isolate.ts; for durable actors durable-handlers.ts, durable-me.ts, durable-run.ts, durable-charted.ts, kept-snapshot.ts, former-mail.ts, replay.ts, in-order.ts, ledger.ts, journal.ts, actor-record.ts, alarms.ts, graves.ts, log-entry.ts, segments.ts, unclaimed.ts, wakes.ts, history.ts, history-step.ts, upcast.ts,
 *         fingerprint.ts, rehearsal.ts, rehearsed-me.ts, rehearsed-effect.ts, store/store.ts, store/memory.ts, store/lmdb.ts, store/lock.ts, store/mark.ts, store/sealed.ts
 * Answer  replies.ts, streams.ts, resumable.ts, observable.ts, heed.ts, within.ts
 * Ground  troupe.ts, resuming.ts, parts.ts, limits.ts, inspection.ts, signals.ts, watches.ts
 */
export { protocol, event, request, stream } from './protocol.js'
export type { Protocol, Specs, Schema, Message, EventKey, RequestKey, StreamKey, MessageOf, ReplyOf, ChunkOf, EventsOf, EventSpec, RequestSpec, StreamSpec, NoBody } from './protocol.js'
export { actor } from './definition.js'
export type { Definition, Invocable, Handlers, HandlerLogic, Identity, LateTimer, MachineOptions, Options, UpcastMachineOptions } from './definition.js'
export type { Me } from './me.js'
export { now, reply, refuse, tell, publish, ask, infer, stepOnce, streamOnce } from './machine-effects.js'
export type { Whom, Work } from './machine-effects.js'
export type { Address } from './address.js'
export { Ref } from './ref.js'
export type { ActorEnding, AskOptions, ResumableStream, StreamOptions, TellOptions } from './ref.js'
export type { ReturnAddress, Ending, DeadReason, CancelReason, PriorityName } from './envelope.js'
export type { Interceptor, Intercept, Passage } from './interceptors.js'
export type { DeadLetter, DeadLetters } from './dead-letters.js'
export type { MailboxOptions, Overflow } from './mailbox.js'
export type { PoolOptions, Route } from './pool.js'
export type { KeyedOptions } from './keyed.js'
export type { Kernels, Inference, InferOptions, Urgency } from './effects.js'
export type { SupervisionPolicy, Directive, Strategy } from './supervision.js'
export type { Fact, Inspector, Story, Why } from './inspection.js'
export { createTroupe } from './troupe.js'
export type { Troupe, TroupeOptions, SpawnOptions, StopOptions } from './troupe.js'
export { TroupeError } from '../ground/errors.js'
export type { ErrorCode, ErrorData, ErrorDetails } from '../ground/errors.js'
export type { Clock, Timer } from '../ground/clock.js'
export type { Duration } from '../ground/duration.js'
export type { Late, Schedule, ScheduleOptions } from './schedules.js'
export type { ChartState, History } from './history.js'
export type { HistoryStep } from './history-step.js'
export type { Rhythm } from './due.js'
export type { NodeOptions } from './transport/nodes.js'
export type { Transport } from './transport/transport.js'
export { memory } from './store/memory.js'
export type { Resumed } from './resuming.js'
export type { Store, OpenStore, Change, Entry, Key } from './store/store.js'
