/**
 * The network between simulated nodes, which keeps a transport's promise and no more: what is sent comes after a while
 * that the seed chooses, so in another order, and under faults late, twice or never.
 * Owns: what is under way, which faults hold now.
 * Does not own: who is up; a node's life opens its way, and ends it.
 */
import { fingerprint } from '../runtime/fingerprint.js'
import type { Transport } from '../runtime/transport/transport.js'
import type { NetworkFault } from './faults.js'
import type { Loop, Source } from './loop.js'
import { Timers } from './timers.js'

/** How long a message is on its way on a healthy network: 0 to this many virtual milliseconds. */
const WAY_MS = 5

/** Messages under way; the next is lost, as in a router whose queue is full. */
const UNDER_WAY_MAX = 100_000

interface Flight {
  readonly n: number
  readonly from: string
  readonly to: string
  readonly bytes: Uint8Array
}

export class Network implements Source {
  readonly #loop: Loop
  readonly #random: () => number
  readonly #line: (text: string) => void
  readonly #receivers = new Map<string, (from: string, bytes: Uint8Array) => void>()
  readonly #underWay = new Timers()
  /** What may arrive now; the seed chooses among them. */
  readonly #here: Flight[] = []
  #weather: { readonly fault: NetworkFault; readonly until: number }[] = []
  #sent = 0

  constructor(loop: Loop, random: () => number, line: (text: string) => void) {
    this.#loop = loop
    this.#random = random
    this.#line = line
    loop.add(this)
  }

  /** A process's way to the other nodes, until the process ends. What it has sent by then is still under way. */
  open(name: string): { readonly transport: Transport; end(): void } {
    let mine: ((from: string, bytes: Uint8Array) => void) | undefined
    let ended = false
    const end = (): void => {
      ended = true
      if (mine !== undefined && this.#receivers.get(name) === mine) this.#receivers.delete(name)
    }
    const transport: Transport = {
      send: (to, bytes) => void (ended || this.#send(name, to, bytes)),
      open: (receive) => {
        if (!ended) this.#receivers.set(name, (mine = receive))
      },
      close: () => Promise.resolve(end()),
    }
    return { transport, end }
  }

  #send(from: string, to: string, bytes: Uint8Array): void {
    const n = ++this.#sent
    const what = `net ${n} ${from} > ${to}`
    if (this.#cut(from, to)) return this.#line(`${what} lost, cut off`)
    if (this.#random() < this.#worst('loss')) return this.#line(`${what} lost`)
    if (this.#underWay.count + this.#here.length >= UNDER_WAY_MAX) return this.#line(`${what} lost, too many are under way`)
    const copies = this.#random() < this.#worst('duplication') ? 2 + this.#upTo(1) : 1
    const late = this.#worst('delay')
    const ways = Array.from({ length: copies }, () => this.#upTo(WAY_MS) + this.#upTo(late))
    this.#line(`${what} sent, ${bytes.length} bytes ${fingerprint(bytes).toString(16)}, for ${ways.join(' and ')} ms`)
    for (const ms of ways) {
      // Each copy is of its own: the sender may use its bytes again, and a receiver may change what it got.
      const flight = { n, from, to, bytes: bytes.slice() }
      this.#underWay.add(this.#loop.elapsed + ms, () => this.#here.push(flight))
    }
  }

  get next(): number | undefined {
    return this.#here.length > 0 ? 0 : this.#underWay.next
  }

  happen(): void {
    for (let due = this.#underWay.takeUntil(this.#loop.elapsed); due !== undefined; due = this.#underWay.takeUntil(this.#loop.elapsed)) due.fire()
    const [flight] = this.#here.splice(this.#upTo(this.#here.length - 1), 1)
    if (flight !== undefined) this.#arrive(flight)
  }

  #arrive({ n, from, to, bytes }: Flight): void {
    const receive = this.#receivers.get(to)
    const lost = this.#cut(from, to) ? 'lost, cut off' : receive === undefined ? `lost, ${to} does not listen` : undefined
    this.#line(`net ${n} ${from} > ${to} ${lost ?? 'arrived'}`)
    if (lost === undefined) receive?.(from, bytes)
  }

  /** Holds for a while, from now. Of several of a kind that hold at once the worst counts. */
  suffer(fault: NetworkFault): void {
    const now = this.#loop.elapsed
    this.#weather = this.#weather.filter(({ until }) => until > now)
    this.#weather.push({ fault, until: now + fault.forMs })
  }

  #cut(one: string, other: string): boolean {
    return this.#now().some((fault) => fault.kind === 'partition' && ((fault.node === one && (fault.from ?? other) === other) || (fault.node === other && (fault.from ?? one) === one)))
  }

  #worst(kind: 'delay' | 'loss' | 'duplication'): number {
    return Math.max(0, ...this.#now().map((fault) => (fault.kind !== kind ? 0 : fault.kind === 'delay' ? fault.ms : fault.share)))
  }

  #now(): NetworkFault[] {
    return this.#weather.flatMap(({ fault, until }) => (until > this.#loop.elapsed ? [fault] : []))
  }

  /** A whole number from 0 to `most`. */
  #upTo(most: number): number {
    return Math.floor(this.#random() * (most + 1))
  }
}
