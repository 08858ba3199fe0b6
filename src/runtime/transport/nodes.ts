/**
 * The nodes of one troupe, seen from one of them.
 * Owns: which node an address belongs to, and a way to each of the others.
 * Does not own: the transport's bytes, nor what happens on the other nodes.
 *
 * Invariant: every node finds the same node for an address, so an actor runs on one of them and nowhere else.
 */
import { asTroupeError, describe, TroupeError } from '../../ground/errors.js'
import type { Address } from '../address.js'
import { packEnvelope } from '../codec.js'
import type { Envelope } from '../envelope.js'
import { fingerprint } from '../fingerprint.js'
import { NODES_MAX } from '../limits.js'
import type { NewEntry } from '../log-entry.js'
import type { Parts } from '../parts.js'
import type { Protocol } from '../protocol.js'
import type { ActorEnding } from '../ref.js'
import type { Outcome } from '../replay.js'
import { Arrivals } from './arrivals.js'
import { Intake } from './intake.js'
import { Link, type Break } from './link.js'
import { originOf } from './origin.js'
import { Owed } from './owed.js'
import { Peer } from './peer.js'
import { Remote } from './remote.js'
import type { Transport } from './transport.js'
import { packParcel, packWord, unpackWord, type Word } from './word.js'

export interface NodeOptions {
  /** This node's name: one of `nodes`. */
  readonly name: string
  /** All nodes of the troupe, in the same order on each of them; new ones at the end. */
  readonly nodes: readonly string[]
  readonly transport: Transport
  /** The node that an address belongs to, the same on every node. Default by a hash, which spreads keys evenly. */
  readonly place?: (address: Address) => string
}

/** What other nodes may have done here. */
export interface Local {
  stop(address: Address): Promise<void>
  watch(address: Address, signal: AbortSignal): Promise<ActorEnding>
}

/** A node and everything that stands between it and this one. */
interface Way {
  readonly link: Link
  readonly peer: Peer
  readonly arrivals: Arrivals
  readonly intake: Intake
}

/** No actor has an address that begins so. */
const NODE = '@'

export class Nodes {
  readonly name: string
  readonly others: readonly string[]
  readonly #all: readonly string[]
  readonly #transport: Transport
  readonly #place: (address: Address) => string
  readonly #ways = new Map<string, Way>()
  /** Whose bytes could not be understood. */
  readonly #strange = new Set<string>()
  #parts: Parts | undefined
  #origin = 0
  #local: Local | undefined
  #isDeaf = false

  /** Throws `InvalidDefinition`. */
  constructor({ name, nodes, transport, place }: NodeOptions) {
    check(name, nodes)
    this.name = name
    this.others = nodes.filter((each) => each !== name)
    this.#all = nodes
    this.#transport = transport
    this.#place = place ?? ((address) => byHash(address, nodes))
  }

  /** Opens the ways; what the log keeps for other nodes leaves. */
  begin(parts: Parts, local: Local): void {
    this.#parts = parts
    this.#local = local
    const { journal } = parts
    if (journal !== undefined) {
      this.#origin = originOf(journal, parts.clock)
      journal.onAway = {
        numbered: (address, n) => this.#owedAt(address)?.numbered(n),
        stored: (address, n) => this.#owedAt(address)?.stored(n),
        lost: (address, n) => this.#owedAt(address)?.lost(n),
      }
    }
    this.#transport.open((from, bytes) => this.#receive(from, bytes))
    for (const name of this.others) {
      const { link, peer } = this.#way(name)
      link.greet()
      peer.owed?.sayMore()
    }
  }

  get local(): Local {
    return this.#local as Local
  }

  /** From which number on this node's ids start, so that no other node has the same. */
  idsFrom(epoch: number): number {
    return (((epoch * NODES_MAX + this.#all.indexOf(this.name)) % 2 ** 20) + 1) * 2 ** 32
  }

  // ── where addresses belong ────────────────────────────────────────────────────────────────────

  /** Throws `InvalidDefinition` when it is placed on no node of the troupe. */
  nodeOf(address: Address): string {
    if (address.startsWith(NODE)) return address.slice(NODE.length).split('/', 1)[0] as string
    const end = address.indexOf('>')
    const node = this.#place(end < 0 ? address : address.slice(0, end))
    if (this.#all.includes(node)) return node
    throw new TroupeError('InvalidDefinition', `${address} is placed on ${node}, which is no node of the troupe`, `place it on one of ${this.#all.join(', ')}`, { address })
  }

  /** Whether an address belongs to another node. What came from outside belongs to none. */
  isAway(address: Address): boolean {
    return address !== '' && this.nodeOf(address) !== this.name
  }

  /** Throws `InvalidDefinition` when this node would send on what another has sent here: they place it differently. */
  assertHere(address: Address): void {
    const node = this.nodeOf(address)
    if (node !== this.name) throw new TroupeError('InvalidDefinition', `${address} is placed here by another node, and on ${node} by ${this.name}`, 'give all nodes the same `nodes` and the same `place`', { address })
  }

  /** The way to an address on another node. */
  remote(address: Address, protocol: Protocol = ANYTHING): Remote | undefined {
    return this.isAway(address) ? new Remote(address, protocol, this.#way(this.nodeOf(address)).peer) : undefined
  }

  /** Where the subscribers of a topic on another node are reached. */
  topicAt(node: string, topic: string): Address {
    return `${NODE}${node}/${topic}`
  }
  topicOf(address: Address): string | undefined {
    return address.startsWith(NODE) ? address.slice(address.indexOf('/') + 1) : undefined
  }

  /** Whether a durable actor is, or will be, at an address here. */
  isDurableHere(address: Address): boolean {
    const { router, journal } = this.#parts as Parts
    if (address.startsWith(NODE)) return false
    return router.definition(address)?.options.durable ?? (!router.has(address) && journal?.awaits(address, Infinity) === true)
  }
  protocolOf(address: Address): Protocol | undefined {
    return (this.#parts as Parts).router.definition(address)?.protocol
  }

  /** Calls `ended` once with how an actor on another node ended; the returned function takes that back. */
  watch(address: Address, ended: (ending: ActorEnding) => void): () => void {
    return this.#way(this.nodeOf(address)).peer.watch(address, ended)
  }
  stop(address: Address): Promise<void> {
    return this.#way(this.nodeOf(address)).peer.stop(address)
  }

  // ── what the log keeps for them ───────────────────────────────────────────────────────────────

  /** An entry for mail to another node; nothing for mail that stays here. */
  mailEntry(envelope: Envelope): NewEntry | undefined {
    if (!this.isAway(envelope.to)) return undefined
    return this.#entry(envelope.to, packParcel({ t: 'mail', kind: envelope.correlation === 0 ? 'told' : 'request', envelope: packEnvelope(envelope, envelope.body) }))
  }

  /** An entry for an answer to a durable asker on another node; nothing for one here. */
  replyEntry(to: Address, of: number, ask: number, outcome: Outcome): NewEntry | undefined {
    return this.isAway(to) ? this.#entry(to, packParcel({ t: 'reply', to, of, ask, outcome })) : undefined
  }

  #entry(to: Address, body: Uint8Array): NewEntry {
    return { address: NODE + this.nodeOf(to), of: 0, body }
  }

  #owedAt(address: Address): Owed | undefined {
    return address.startsWith(NODE) ? this.#way(address.slice(NODE.length)).peer.owed : undefined
  }

  // ── the ways ──────────────────────────────────────────────────────────────────────────────────

  #way(name: string): Way {
    let way = this.#ways.get(name)
    if (way === undefined) this.#ways.set(name, (way = this.#open(name)))
    return way
  }

  #open(name: string): Way {
    const parts = this.#parts as Parts
    const say = (word: Word): void => link.say(packSafely(word))
    const link: Link = new Link({
      clock: parts.clock,
      send: (bytes) => this.#transport.send(name, bytes),
      // One that is not understood keeps none of those behind it.
      heard: (item) => this.#understood(name, () => this.#heard(way, unpackWord(item))),
      waits: () => way.peer.waits || way.arrivals.waits,
      broke: (why) => this.#broke(way, why),
    })
    const owed = parts.journal === undefined ? undefined : new Owed(NODE + name, parts.journal, this.#origin, parts, say)
    const arrivals = new Arrivals(parts, this, say)
    const way: Way = { link, arrivals, peer: new Peer(name, parts, say, owed), intake: new Intake(name, parts, this, arrivals, say) }
    return way
  }

  /** Bytes that are not understood harm nobody: they are as good as lost. */
  #receive(from: string, bytes: Uint8Array): void {
    if (this.#isDeaf || !this.others.includes(from)) return
    this.#understood(from, () => this.#way(from).link.receive(bytes))
  }

  /** What is not understood is said once of each node, and once more when it runs another version. */
  #understood(from: string, work: () => void): void {
    try {
      work()
    } catch (error) {
      const cause = asTroupeError(error).code === 'Incompatible' ? `${from} is another version` : from
      if (this.#strange.has(cause)) return
      this.#strange.add(cause)
      this.#parts?.log(NODE + from, ['sent what cannot be understood:', describe(error)])
    }
  }

  #heard({ peer, arrivals, intake }: Way, word: Word): void {
    switch (word.t) {
      case 'mail':
        return arrivals.mail(word)
      case 'log':
        return intake.log(word.log)
      case 'parcel':
        return intake.parcel(word)
      case 'have':
        return peer.have(word.n, word.behind)
      case 'held':
        return peer.owed?.holds(word.n, word.ask)
      case 'taken':
        return peer.taken(word.id)
      case 'outcome':
        return peer.outcome(word.id, word.outcome)
      case 'chunk':
        return peer.chunk(word.id, word.value)
      case 'read':
        return arrivals.read(word.id, word.count)
      case 'off':
        arrivals.off(word.id)
        return word.to === undefined ? undefined : intake.off(word.id, word.to)
      case 'stop':
        return arrivals.stop(word.id, word.address)
      case 'watch':
        return arrivals.watch(word.id, word.address)
      case 'ended':
        return peer.ended(word.id, word.ending)
    }
  }

  #broke({ peer, arrivals }: Way, why: Break): void {
    arrivals.broke()
    peer.broke(why)
  }

  /** Whether nothing is on its way whose sender waits to hear of it. */
  get idle(): boolean {
    for (const { peer } of this.#ways.values()) if (!peer.idle) return false
    return true
  }

  /** The actors here are about to end: what comes from now on stays with its sender, which hears of that when this closes. */
  hearNoMore(): void {
    this.#isDeaf = true
    for (const { intake } of this.#ways.values()) void intake.close()
  }

  /** Resolves when nothing of this is on its way to the store, and nothing more can come. */
  async close(): Promise<void> {
    this.hearNoMore()
    const closed = [...this.#ways.values()].map(async ({ link, peer, arrivals, intake }) => {
      link.close()
      arrivals.broke()
      await Promise.all([peer.close(), intake.close()])
    })
    await Promise.all(closed)
    await this.#transport.close()
  }
}

/** What cannot be packed is an answer of an actor here: whoever waits for it is told why there is none. */
function packSafely(word: Word): Uint8Array {
  try {
    return packWord(word)
  } catch (error) {
    const why = asTroupeError(error)
    const told = new TroupeError(why.code, why.message, why.hint)
    if (word.t === 'outcome') return packWord({ ...word, outcome: { ok: false, error: told } })
    if (word.t === 'ended') return packWord({ ...word, ending: { kind: 'failed', error: told } })
    throw error
  }
}

const ANYTHING: Protocol = { specs: {} }

/** Rendezvous hashing (Thaler and Ravishankar 1998): one node more or less moves only its own addresses. */
function byHash(address: Address, nodes: readonly string[]): string {
  return nodes.reduce((best, node) => (fingerprint(`${node} ${address}`) > fingerprint(`${best} ${address}`) ? node : best))
}

function check(name: string, nodes: readonly string[]): void {
  const wrong =
    nodes.length > NODES_MAX ? `${nodes.length} nodes are more than ${NODES_MAX}`
    : new Set(nodes).size < nodes.length ? 'two nodes have one name'
    : !nodes.includes(name) ? `${name} is not among the nodes ${nodes.join(', ')}`
    : nodes.find((each) => !/^[\w.-]+$/.test(each))
  if (wrong !== undefined) throw new TroupeError('InvalidDefinition', `the troupe cannot have these nodes: ${wrong}`, "list every node once, this one too, with names of letters, digits, '_', '-' and '.'", { nodes })
}
