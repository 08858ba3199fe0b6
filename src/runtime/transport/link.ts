/**
 * What two nodes have to say to each other, over a transport that may lose it, double it and mix it up.
 * Owns: numbering, acknowledging and sending again; which life of the peer it talks to.
 * Does not own: what is said, nor how much of it: whoever says it bounds it.
 *
 * Invariants:
 * L1. Between a life here and a life there each item arrives once and in order, or the link breaks and both are told.
 * L2. A life counts only once it has answered a fresh question: a frame that was late on its way brings no former one back.
 * L3. At most LINK_WINDOW items are under way; the rest waits here.
 * L4. While something is under way, or somebody waits for the peer, the peer is asked for a sign of life, and given up when
 *     none comes. No timer stands otherwise.
 */
import type { Clock, Timer } from '../../ground/clock.js'
import { TroupeError } from '../../ground/errors.js'
import { pack, unpack } from '../codec.js'
import { LINK_BYTES, LINK_QUIET_MS, LINK_RETRY_MAX_MS, LINK_RETRY_MS, LINK_SILENT_MS, LINK_WINDOW } from '../limits.js'

/** Of the frames and of the words in them; its place, first in each frame, never changes. */
const VERSION = 1

/** Why all that was said and not acknowledged is in doubt. */
export type Break = 'the node began anew' | 'the node is silent' | 'the node stopped' | 'this node stops'

type Frame =
  /** Who are you? A number that was never used before tells its answer from others'. */
  | readonly ['hello', life: number, nonce: number]
  | readonly ['welcome', life: number, nonce: number]
  /** Items from a number on, to one life; everything of that life before `ack` has come. */
  | readonly ['said', life: number, to: number, ack: number, first: number, items: readonly Uint8Array[]]
  | readonly ['bye', life: number, to: number]

/** What a link needs of its node. */
export interface LinkPort {
  readonly clock: Clock
  send(bytes: Uint8Array): void
  /** The next item of the peer. */
  heard(item: Uint8Array): void
  /** Whether anybody here waits for something that only the peer can say. */
  waits(): boolean
  /** What was said and not acknowledged is in doubt; what is said from now on is not. */
  broke(why: Break): void
}

export class Link {
  readonly #port: LinkPort
  readonly #clock: Clock
  /** Its own life; another one after it has given a silent peer up. */
  #life: number
  #peer: number | undefined
  /** The question under way, or 0. */
  #nonce = 0
  /** Items that are not acknowledged, the first of them with the number `#acked`. */
  #out: Uint8Array[] = []
  #acked = 0
  /** How many of them have been sent. */
  #sent = 0
  /** The number of the peer's next item, and those that came before their turn. */
  #next = 0
  readonly #early = new Map<number, Uint8Array>()
  #owesAck = false
  /** Whether the peer is known to believe this life: what was said before went unheard. */
  #isBelieved = false
  #flushing = false
  #timer: Timer | undefined
  #quiet: Timer | undefined
  #retryMs = LINK_RETRY_MS
  /** Whether anything came since the last look. */
  #hasHeard = false
  /** How long it has tried in vain. */
  #silentMs = 0
  #closed = false

  constructor(port: LinkPort) {
    this.#port = port
    this.#clock = port.clock
    this.#life = this.#draw()
  }

  #draw(): number {
    return 1 + Math.floor(this.#clock.random() * 2 ** 48)
  }

  /** Lets the peer know that there is another life here, if it knew a former one. */
  greet(): void {
    this.#frame(['hello', this.#life, 0])
  }

  /** Says an item, after all that was said before. */
  say(item: Uint8Array): void {
    if (this.#closed) return
    this.#out.push(item)
    this.#flushSoon()
  }

  /** Nothing is said or heard any more; the peer is told, if the transport carries that. */
  close(): void {
    if (this.#closed) return
    if (this.#peer !== undefined) {
      this.#flush()
      this.#frame(['bye', this.#life, this.#peer])
    }
    this.#closed = true
    this.#timer?.cancel()
    this.#quiet?.cancel()
  }

  /** Bytes from the peer. Throws what makes them no frame. */
  receive(bytes: Uint8Array): void {
    if (this.#closed) return
    const frame = frameOf(unpack(bytes))
    switch (frame[0]) {
      case 'hello':
        this.#frame(['welcome', this.#life, frame[2]])
        if (frame[1] !== this.#peer) this.#ask()
        return
      case 'welcome':
        if (frame[2] === this.#nonce && this.#nonce !== 0) this.#met(frame[1])
        return
      case 'bye':
        if (frame[1] === this.#peer && frame[2] === this.#life) {
          this.#peer = undefined
          this.#break('the node stopped')
        }
        return
      case 'said': {
        const [, life, to, ack, first, items] = frame
        // One of the two knows another life of the other; the answer to a question settles it.
        if (life !== this.#peer || to !== this.#life) return this.#ask()
        this.#answered()
        this.#believed()
        this.#acknowledged(ack)
        this.#heard(first, items)
      }
    }
  }

  // ── who is there ──────────────────────────────────────────────────────────────────────────────

  #ask(): void {
    if (this.#nonce !== 0) return
    this.#nonce = this.#draw()
    this.#frame(['hello', this.#life, this.#nonce])
    this.#watch()
  }

  #met(life: number): void {
    this.#nonce = 0
    this.#answered()
    if (life === this.#peer) return this.#flushSoon()
    const isOther = this.#peer !== undefined
    this.#peer = life
    if (isOther) this.#break('the node began anew')
    else this.#renumber()
    this.#owesAck = true
    this.#flushSoon()
  }

  /** Nothing of the pair of lives so far holds. */
  #break(why: Break): void {
    this.#out = []
    this.#renumber()
    this.#port.broke(why)
  }

  #renumber(): void {
    this.#acked = this.#sent = this.#next = 0
    this.#early.clear()
    this.#owesAck = this.#isBelieved = false
  }

  /** The peer has been silent for too long: if it is there all the same, it learns of it by another life of this side. */
  #giveUp(): void {
    this.#life = this.#draw()
    this.#nonce = this.#silentMs = 0
    this.#break('the node is silent')
  }

  // ── what is heard ─────────────────────────────────────────────────────────────────────────────

  #answered(): void {
    this.#silentMs = 0
    this.#hasHeard = true
  }

  #believed(): void {
    if (this.#isBelieved) return
    this.#isBelieved = true
    this.#send(0)
  }

  #acknowledged(ack: number): void {
    const count = ack - this.#acked
    if (count <= 0 || count > this.#sent) return
    this.#out.splice(0, count)
    this.#acked = ack
    this.#sent -= count
    this.#retryMs = LINK_RETRY_MS
    this.#timer?.cancel()
    this.#timer = undefined
    // A question may be open besides: its answer is still waited for.
    if (this.#sent > 0 || this.#nonce !== 0) this.#watch()
    else this.#keepWatch()
    if (this.#out.length > this.#sent) this.#flushSoon()
  }

  #heard(first: number, items: readonly Uint8Array[]): void {
    if (items.length === 0) return
    this.#owesAck = true
    this.#flushSoon()
    for (const [i, item] of items.entries()) {
      const n = first + i
      if (n >= this.#next && n < this.#next + LINK_WINDOW) this.#early.set(n, item)
    }
    const life = this.#peer
    for (let item = this.#early.get(this.#next); item !== undefined; item = this.#early.get(this.#next)) {
      this.#early.delete(this.#next++)
      this.#port.heard(item)
      // What was heard may have ended this link.
      if (this.#closed || this.#peer !== life) return
    }
  }

  // ── what is said ──────────────────────────────────────────────────────────────────────────────

  /** Once a turn of the event loop: what is said in one turn travels together. */
  #flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    this.#clock.nextTurn(() => {
      this.#flushing = false
      if (!this.#closed) this.#flush()
    })
  }

  #flush(): void {
    if (this.#peer === undefined) return this.#out.length > 0 ? this.#ask() : undefined
    const from = this.#sent
    this.#sent = Math.min(this.#out.length, LINK_WINDOW)
    this.#send(from)
    if (this.#owesAck) this.#said(0, [])
    if (this.#sent > 0) this.#watch()
    else this.#keepWatch()
  }

  /** Sends what is under way from there on, in frames of a bearable size. */
  #send(from: number): void {
    for (let at = from; at < this.#sent; ) {
      const items: Uint8Array[] = []
      for (let bytes = 0; at < this.#sent && (items.length === 0 || bytes + (this.#out[at] as Uint8Array).length <= LINK_BYTES); at++) {
        const item = this.#out[at] as Uint8Array
        bytes += item.length
        items.push(item)
      }
      this.#said(this.#acked + at - items.length, items)
    }
  }

  #said(first: number, items: readonly Uint8Array[]): void {
    this.#owesAck = false
    this.#frame(['said', this.#life, this.#peer as number, this.#next, first, items])
  }

  #frame(frame: Frame): void {
    this.#port.send(pack([VERSION, ...frame]).slice())
  }

  #watch(): void {
    this.#timer ??= this.#clock.timer(this.#retryMs, () => {
      this.#timer = undefined
      this.#again()
    })
  }

  /** L4. Nothing is under way: what somebody waits for may still be lost with the peer. */
  #keepWatch(): void {
    if (this.#quiet !== undefined || this.#closed || !this.#port.waits()) return
    this.#hasHeard = false
    this.#quiet = this.#clock.timer(
      LINK_QUIET_MS,
      () => {
        this.#quiet = undefined
        if (this.#hasHeard || this.#sent > 0) this.#keepWatch()
        else if (this.#port.waits()) this.#ask()
      },
      true,
    )
  }

  /** No answer has come: says it again, ever more rarely. */
  #again(): void {
    if (this.#sent === 0 && this.#nonce === 0) return this.#keepWatch()
    this.#silentMs += this.#retryMs
    this.#retryMs = Math.min(2 * this.#retryMs, LINK_RETRY_MAX_MS)
    if (this.#silentMs > LINK_SILENT_MS) return this.#giveUp()
    if (this.#nonce !== 0) this.#frame(['hello', this.#life, this.#nonce])
    else this.#send(0)
    this.#watch()
  }
}

/** Throws `Incompatible` for what another version says. */
function frameOf(value: unknown): Frame {
  const [version, ...frame] = Array.isArray(value) ? (value as unknown[]) : []
  if (Number.isSafeInteger(version) && version !== VERSION) throw new TroupeError('Incompatible', `another node speaks version ${version as number} of what nodes say to each other, this one ${VERSION}`, 'run the same version of Troupe on all nodes', { version, supported: VERSION })
  const [kind, ...rest] = version === VERSION ? frame : []
  const numbers = (count: number): boolean => rest.slice(0, count).every(Number.isSafeInteger) && rest.length >= count
  const known = kind === 'hello' || kind === 'welcome' || kind === 'bye' ? numbers(2) : kind === 'said' && numbers(4) && Array.isArray(rest[4]) && rest[4].every((item) => item instanceof Uint8Array)
  if (known) return frame as unknown as Frame
  throw new TypeError('these bytes are no frame of a link')
}
