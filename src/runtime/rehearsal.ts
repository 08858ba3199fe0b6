/**
 * Runs what a store holds against other definitions, without effects: would its actors go on?
 * Owns: the findings. Does not own: the store, which it only reads, nor how a handler is replayed.
 *
 * What a handler has on record is given back to it; at the first effect beyond that it is left behind. A handler that has
 * nothing on record is not run at all: nothing of it can diverge.
 */
import { realClock } from '../ground/clock.js'
import { describe, TroupeError } from '../ground/errors.js'
import { childAddress, isChild, nameOf, parentOf, type Address } from './address.js'
import { Cell } from './cell.js'
import { Charted } from './charted.js'
import { unpack } from './codec.js'
import { DeadLetters } from './dead-letters.js'
import { childMachine, isDefinition, type AnyHandlers, type Definition } from './definition.js'
import { Dispatcher } from './dispatcher.js'
import { Dozing } from './dozing.js'
import type { DurableRun } from './durable-run.js'
import { Endings } from './endings.js'
import type { Envelope } from './envelope.js'
import type { Handler } from './handlers.js'
import { Inspection } from './inspection.js'
import { Interceptors } from './interceptors.js'
import { Journal } from './journal.js'
import { EFFECT, type KeptChart } from './kept-snapshot.js'
import type { Ledger } from './ledger.js'
import type { Parts } from './parts.js'
import { Post } from './post.js'
import { checkBody, type Message } from './protocol.js'
import { Ref, type RefPort } from './ref.js'
import { invokedEffect } from './machine-effects.js'
import { rehearsedEffect, RehearsedRun } from './rehearsed-effect.js'
import { RehearsedMe, RehearsedStart } from './rehearsed-me.js'
import { Replies } from './replies.js'
import { Router } from './router.js'
import type { Store } from './store/store.js'
import { Topics } from './topics.js'
import { Unclaimed } from './unclaimed.js'
import { Wakes } from './wakes.js'
import { Chart, type AnyStateMachine, type ChildStart } from './xstate.js'

/** Why an actor would not go on as it was. */
export type FindingKind =
  /** Nothing is given for its address or kind, or what is given is not durable. */
  | 'missing'
  /** A record that cannot be read. */
  | 'damaged'
  /** A state that cannot be brought up: a later version's, one that its upcaster throws at, a state or child that the chart no longer has. */
  | 'incompatible'
  /** A state of an older version, with no upcaster for it. */
  | 'not-upcast'
  /** Mail that waits and is not as the protocol says. */
  | 'mail'
  /** A handler under way that calls other effects than it has on record. */
  | 'diverges'

export interface Finding {
  readonly address: Address
  readonly kind: FindingKind
  readonly message: string
}

export interface Rehearsed {
  readonly actors: number
  /** Handlers and effects under way that ran again. */
  readonly handlers: number
  /** Children whose definition only their parents know, by the name to give it under. */
  readonly unchecked: Readonly<Record<string, number>>
}

/** Handlers that run again at once. */
const AT_ONCE = 64
/** How long one may take, with all that it does between its effects. */
const PATIENCE_MS = 5_000
const LOOK_MS = 5

export async function rehearse(store: Store, definitions: Readonly<Record<string, Definition>>, tell: (finding: Finding) => void): Promise<Rehearsed> {
  // What is written on the way is nobody's.
  const journal = await Journal.open({ get: (key) => store.get(key), range: (from, to) => store.range(from, to), commit: () => Promise.resolve(), close: () => Promise.resolve() }, realClock)
  const rehearsal = new Rehearsal(journal, definitions, tell)
  for (const { message } of journal.damage) tell({ address: '', kind: 'damaged', message })
  const idle: Address[] = []
  for (const { key } of journal.range(['actor'], ['actos'])) {
    const address = key[1] as Address
    if (!journal.waiting.has(address)) idle.push(address)
  }
  // A child's definition may be known only once its parent has been looked at.
  const depth = (address: Address): number => address.split('>').length
  const all = [...journal.waiting.keys(), ...idle].toSorted((a, b) => depth(a) - depth(b))
  for (const [i, address] of all.entries()) {
    if (i > 0 && depth(address) > depth(all[i - 1] as Address)) await rehearsal.settled()
    await rehearsal.actor(address)
  }
  return rehearsal.end()
}

class Rehearsal {
  readonly #journal: Journal
  readonly #parts: Parts
  readonly #definitions: Readonly<Record<string, Definition>>
  readonly #tell: (finding: Finding) => void
  readonly #missing = new Map<string, { readonly message: string; count: number }>()
  readonly #unchecked: Record<string, number> = {}
  readonly #underWay = new Set<Promise<void>>()
  /** The definitions of children, as their parents have them. */
  readonly #children = new Map<Address, Definition>()
  readonly #spawned = (address: Address, definition: Definition): void => void this.#children.set(address, definition)
  /** Parents that have told of their children. */
  readonly #asked = new Set<Address>()
  #actors = 0
  #handlers = 0

  constructor(journal: Journal, definitions: Readonly<Record<string, Definition>>, tell: (finding: Finding) => void) {
    this.#journal = journal
    this.#parts = partsOf(journal)
    this.#definitions = definitions
    this.#tell = tell
  }

  async actor(address: Address): Promise<void> {
    this.#actors++
    const name = nameOf(address)
    const definition = this.#definitionOf(address)
    if (definition === undefined && isChild(address)) this.#unchecked[name] = (this.#unchecked[name] ?? 0) + 1
    else if (definition === undefined) this.#lacks(name, 'has no definition')
    else if (definition.options.durable !== true) this.#lacks(name, 'is no longer durable')
    else await this.#try(address, () => this.#check(address, definition))
  }

  /** The definition that is given for an address or a kind, or the one that its parent has for it. */
  #definitionOf(address: Address): Definition | undefined {
    const given = this.#definitions[address] ?? this.#definitions[nameOf(address)] ?? this.#children.get(address)
    if (given !== undefined || !isChild(address)) return given
    const parent = parentOf(address)
    const definition = this.#definitionOf(parent)
    if (definition?.options.durable !== true || this.#asked.has(parent)) return undefined
    this.#asked.add(parent)
    try {
      this.#askParent(parent, definition)
    } catch {
      // Why it cannot go on is told where it is looked at itself.
    }
    return this.#children.get(address)
  }

  /** A chart knows its children by its snapshot; of plain handlers only `started` can be asked, and those under way. */
  #askParent(address: Address, definition: Definition): void {
    const cell = new Cell(address, definition, this.#parts, {})
    const ledger = cell.ledger as Ledger
    const { logic } = definition
    if (logic.kind === 'handlers') {
      const me = new RehearsedStart(cell, { state: stateOf(cell, ledger, logic.handlers), pending: 0, exclusive: true }, this.#spawned)
      void Promise.resolve(logic.handlers.started?.(me as never)).catch(() => {})
    } else if (!ledger.isNew) {
      const { started } = Chart.of(logic.machine).restore((cell.behaviour as Charted).self, (ledger.state as KeptChart).snapshot)
      for (const { formerly, logic: child } of started) if (formerly !== undefined) this.#children.set(childAddress(address, formerly), isDefinition(child) ? child : childMachine(child as AnyStateMachine, true))
    }
  }

  async settled(): Promise<void> {
    await Promise.all(this.#underWay)
  }

  async end(): Promise<Rehearsed> {
    await this.settled()
    for (const [name, { message, count }] of this.#missing) this.#tell({ address: name, kind: 'missing', message: `${message}; ${count} ${count === 1 ? 'actor' : 'actors'} in the store` })
    return { actors: this.#actors, handlers: this.#handlers, unchecked: this.#unchecked }
  }

  #lacks(name: string, message: string): void {
    const known = this.#missing.get(name)
    if (known === undefined) this.#missing.set(name, { message, count: 1 })
    else known.count++
  }

  async #try(address: Address, check: () => Promise<void> | void): Promise<void> {
    try {
      await check()
    } catch (error) {
      this.#tell({ address, kind: error instanceof TroupeError && error.code === 'Incompatible' ? 'incompatible' : 'damaged', message: describe(error) })
    }
  }

  async #check(address: Address, definition: Definition): Promise<void> {
    const cell = new Cell(address, definition, this.#parts, {})
    const ledger = cell.ledger as Ledger
    const { version = 0, upcast } = definition.options
    const by = this.#journal.record(address)?.by ?? 0
    if (!ledger.isNew && by < version && upcast?.state === undefined) {
      this.#tell({ address, kind: 'not-upcast', message: `its state is of version ${by}, this is ${version}, and no upcast.state takes it: give one, \`(old) => old\` if nothing has changed` })
    }
    const { mail } = ledger.recover(undefined)
    const { logic } = definition
    for (const envelope of mail) this.#mail(cell, envelope)
    if (logic.kind === 'machine' && !ledger.isNew) {
      const started = this.#chart(cell, Chart.of(logic.machine), ledger.state as KeptChart)
      for (const envelope of mail) if (envelope.type.startsWith(EFFECT)) await this.#effect(cell, ledger, started, envelope)
    }
    if (logic.kind === 'handlers') for (const envelope of mail) if (ledger.former(envelope).records.length > 0) await this.#begin(() => this.#handler(cell, ledger, logic.handlers, envelope))
  }

  #mail(cell: Cell, { type, body }: Envelope): void {
    if (type.startsWith(EFFECT)) return
    const { address, definition } = cell
    const spec = definition.protocol.specs[type]
    if (spec === undefined) return this.#tell({ address, kind: 'mail', message: `${type} waits, and its protocol no longer has it` })
    try {
      checkBody(spec, unpack(body) as Message)
    } catch (error) {
      this.#tell({ address, kind: 'mail', message: `${type} waits: ${describe(error)}` })
    }
  }

  #chart({ address, behaviour }: Cell, chart: Chart, { snapshot, due }: KeptChart): readonly ChildStart[] {
    const step = chart.restore((behaviour as Charted).self, snapshot)
    for (const [, { event: { type } }] of due) {
      if (type.startsWith('xstate.after.') && chart.takes(step.snapshot, type) === 'never') this.#tell({ address, kind: 'incompatible', message: `its timer ${type} stands for nothing any more: bring its state's delay back, or it waits for ever` })
    }
    return step.started
  }

  /** One that has its outcome on record does not run again, nor does one whose reader is gone. */
  async #effect(cell: Cell, ledger: Ledger, started: readonly ChildStart[], envelope: Envelope): Promise<void> {
    const child = started.find(({ id }) => id === envelope.type.slice(EFFECT.length))
    const effect = child && invokedEffect(child.logic)
    const { records } = ledger.former(envelope)
    if (child === undefined || effect === undefined || effect.into !== undefined || records.length === 0 || records.some(({ at }) => at < 0)) return
    await this.#begin(async () => {
      const run = new RehearsedRun(cell, ledger, envelope)
      const ended = rehearsedEffect(cell, effect, child, run).then((outcome) => {
        // One that fails with all of its records has failed so before.
        if (outcome.ok) run.ended()
        else if (run.progress.hasMore) throw run.progress.divergence ?? outcome.error
      })
      await Promise.race([ended, this.#cameBack(run)]).catch((error: unknown) => this.#tell({ address: cell.address, kind: 'diverges', message: `${effect.name}, which it invoked as ${child.id}: ${describe(error)}` }))
    })
  }

  /** Handlers run side by side, since one that has changed may wait for what never comes. */
  async #begin(handler: () => Promise<void>): Promise<void> {
    if (this.#underWay.size >= AT_ONCE) await Promise.race(this.#underWay)
    this.#handlers++
    const run = handler()
    this.#underWay.add(run)
    void run.then(() => this.#underWay.delete(run))
  }

  async #handler(cell: Cell, ledger: Ledger, handlers: AnyHandlers, envelope: Envelope): Promise<void> {
    const { address } = cell
    try {
      const state = stateOf(cell, ledger, handlers)
      const me = new RehearsedMe(cell, { state, pending: 0, exclusive: true, waiting: () => {} }, ledger, envelope, this.#spawned)
      const run = replay(cell, handlers.on[envelope.type] as unknown as Handler, me, envelope)
      await Promise.race([run, this.#cameBack(me.run)])
    } catch (error) {
      this.#tell({ address, kind: 'diverges', message: `its handler of ${envelope.type}: ${describe(error)}` })
    }
  }

  /** Resolves once a handler has all that is on record. */
  async #cameBack({ progress }: DurableRun): Promise<void> {
    const { clock } = this.#parts
    for (let waited = 0; progress.replaying && waited < PATIENCE_MS; waited += LOOK_MS) await new Promise<void>((resolve) => clock.timer(LOOK_MS, resolve))
    if (progress.divergence !== undefined) throw progress.divergence
    const { missing } = progress
    if (missing !== undefined) throw new Error(`it does not come to ${missing.name}, which it has on record as effect ${missing.at}`)
  }
}

const stateOf = ({ address, key }: Cell, ledger: Ledger, handlers: AnyHandlers): unknown => (ledger.isNew ? handlers.state?.({ address, key }) : ledger.state)

async function replay(cell: Cell, handler: Handler, me: RehearsedMe, envelope: Envelope): Promise<void> {
  const { progress } = me.run
  try {
    const answer = handler(cell.open(envelope), me)
    if (cell.definition.protocol.specs[envelope.type]?.kind === 'stream') for await (const _ of answer as AsyncIterable<unknown>);
    else await answer
  } catch (error) {
    // One that fails with all of its records has failed so before.
    if (progress.hasMore) throw progress.divergence ?? error
    return
  }
  me.run.ended()
}

/** All that a cell needs which never runs. */
function partsOf(journal: Journal): Parts {
  const clock = realClock
  const inspection = new Inspection()
  const replies = new Replies(clock)
  const log = (): void => {}
  const router: Router = new Router(() => dozing)
  const dozing = new Dozing({ clock, replies, router, log, journal })
  const port = {} as RefPort
  const parts: Omit<Parts, 'post'> = {
    clock, inspection, replies, router, journal, log, dozing,
    dispatcher: new Dispatcher(clock),
    endings: new Endings(inspection, new DeadLetters(() => Promise.resolve()), replies),
    topics: new Topics(),
    nodes: undefined,
    unclaimed: new Unclaimed({ nodes: undefined, router, journal, clock }),
    wakes: new Wakes({ router, clock, log }),
    interceptors: new Interceptors([]),
    checked: false,
    ref: (protocol, address) => new Ref(address, protocol, port),
    kernels: () => new Promise(() => {}),
  }
  return { ...parts, post: new Post(parts) }
}
