/**
 * What another node asks of this one, for as long as the link holds.
 * Owns: its asks, streams and watches under way here.
 * Does not own: what its log brings (intake).
 */
import { asTroupeError, TroupeError } from '../../ground/errors.js'
import { unpack } from '../codec.js'
import type { Envelope } from '../envelope.js'
import { PRIORITY, type PriorityName } from '../envelope.js'
import { STREAM_WINDOW } from '../limits.js'
import type { Parts } from '../parts.js'
import type { Sender } from '../post.js'
import type { Message, Protocol } from '../protocol.js'
import type { ActorEnding, Ref } from '../ref.js'
import type { Outcome } from '../replay.js'
import { isShutdown } from '../replies.js'
import { envelopeOf } from './envelope-of.js'
import type { Nodes } from './nodes.js'
import type { Word } from './word.js'

/** Something of the other node that is under way here. */
interface Work {
  /** Whether it goes on when the link breaks: what a durable actor has accepted is done, whoever is left to hear of it. */
  readonly lasts: boolean
  readonly off: () => void
  /** How many chunks may leave, and who waits for one more. */
  credit: number
  wake: (() => void) | undefined
}

export class Arrivals {
  readonly #parts: Parts
  readonly #nodes: Nodes
  readonly #say: (word: Word) => void
  readonly #work = new Map<number, Work>()
  /** How often the link broke: what began before has nobody to tell. */
  #breaks = 0

  constructor(parts: Parts, nodes: Nodes, say: (word: Word) => void) {
    this.#parts = parts
    this.#nodes = nodes
    this.#say = say
  }

  /** Whether something of the other node is under way here. */
  get waits(): boolean {
    return this.#work.size > 0
  }

  /** Tells the other node, unless the link has broken since. */
  #telling(): (word: Word) => void {
    const breaks = this.#breaks
    return (word) => void (breaks === this.#breaks && this.#say(word))
  }

  mail({ kind, leftMs, envelope: bytes }: Extract<Word, { t: 'mail' }>): void {
    const envelope = envelopeOf(bytes, 0)
    const { id } = envelope
    try {
      this.#nodes.assertHere(envelope.to)
    } catch (error) {
      return this.#say({ t: 'outcome', id, outcome: { ok: false, error } })
    }
    const topic = this.#nodes.topicOf(envelope.to)
    if (topic !== undefined) for (const copy of this.copies(envelope, topic)) this.hand(copy)
    if (topic !== undefined) return this.#say({ t: 'taken', id })
    const tell = this.#telling()
    if (kind === 'told')
      return void this.told(envelope).then(
        () => tell({ t: 'taken', id }),
        (error: unknown) => tell({ t: 'outcome', id, outcome: { ok: false, error: asTroupeError(error) } }),
      )
    this.#say({ t: 'taken', id })
    if (kind === 'stream') void this.#streamed(envelope)
    else this.asked(envelope, leftMs, (outcome) => this.#say({ t: 'outcome', id, outcome }))
  }

  /** A message for one actor here; resolves when its mailbox has accepted it. */
  async told(envelope: Envelope): Promise<void> {
    await this.#parts.post.tell(this.#ref(envelope), messageOf(envelope), { priority: priorityOf(envelope) }, senderOf(envelope))
  }

  /** An ask for one actor here. */
  asked(envelope: Envelope, leftMs: number, tell: (outcome: Outcome) => void): void {
    const { id } = envelope
    const { signal } = this.#begin(envelope)
    const work = this.#work.get(id)
    const settle = (outcome: Outcome): void => {
      if (this.#work.get(id) !== work) return
      this.#work.delete(id)
      tell(outcome)
    }
    this.#asking(envelope, leftMs, signal).then(
      (value) => settle({ ok: true, value }),
      (error: unknown) => settle({ ok: false, error: this.#failure(error, envelope) }),
    )
  }

  /** To whoever asked from another node this one's end is no wish: it may have been done or not. */
  #failure(error: unknown, { id, type, to }: Envelope): TroupeError {
    if (!isShutdown(error)) return asTroupeError(error)
    return new TroupeError('Interrupted', `${type} of ${to} has no known outcome: its node stops`, 'ask again once it is back, where twice does no harm', { id, node: this.#nodes.name, address: to })
  }

  async #asking(envelope: Envelope, leftMs: number, signal: AbortSignal): Promise<unknown> {
    return this.#parts.post.ask(this.#ref(envelope), messageOf(envelope), { timeout: leftMs === 0 ? 'none' : leftMs, priority: priorityOf(envelope), signal }, senderOf(envelope))
  }

  async #streamed(envelope: Envelope): Promise<void> {
    const { id } = envelope
    const { signal } = this.#begin(envelope)
    const work = this.#work.get(id) as Work
    let outcome: Outcome = { ok: true, value: undefined }
    try {
      for await (const value of this.#parts.post.stream(this.#ref(envelope), messageOf(envelope), { timeout: 'none', idle: 'none', priority: priorityOf(envelope), signal }, senderOf(envelope))) {
        if (this.#work.get(id) !== work) return
        this.#say({ t: 'chunk', id, value })
        if (--work.credit === 0) await new Promise<void>((resolve) => (work.wake = resolve))
      }
    } catch (error) {
      outcome = { ok: false, error: this.#failure(error, envelope) }
    }
    if (this.#work.get(id) !== work) return
    this.#work.delete(id)
    this.#say({ t: 'outcome', id, outcome })
  }

  #begin({ id, to }: Envelope): AbortController {
    const abort = new AbortController()
    this.#work.set(id, { lasts: this.#nodes.isDurableHere(to), off: () => abort.abort(), credit: STREAM_WINDOW, wake: undefined })
    return abort
  }

  /** The other node has read more of a stream. */
  read(id: number, count: number): void {
    const work = this.#work.get(id)
    if (work === undefined) return
    work.credit += count
    work.wake?.()
    work.wake = undefined
  }

  // ── topics ────────────────────────────────────────────────────────────────────────────────────

  /** A message for the subscribers of a topic here, as an envelope for each. */
  copies(envelope: Envelope, topic: string): readonly Envelope[] {
    return this.#parts.post.toPublish(senderOf(envelope), topic, messageOf(envelope))
  }

  /** Hands an envelope to its cell here; one without room loses it to the dead letters. */
  hand(envelope: Envelope): void {
    const { router, endings } = this.#parts
    const cell = router.awake(envelope.to)
    if (cell === undefined) endings.dead(envelope, 'no-such-actor')
    else if (cell.accept(envelope) === 'full' && cell.awaitRoom(envelope, (admitted) => void (admitted || endings.dead(envelope, 'stopped'))) === undefined) endings.dead(envelope, 'overloaded')
  }

  // ── stops and watches ─────────────────────────────────────────────────────────────────────────

  stop(id: number, address: string): void {
    const tell = this.#telling()
    const told = (ending: ActorEnding): void => tell({ t: 'ended', id, ending })
    this.#nodes.local.stop(address).then(
      () => told({ kind: 'stopped' }),
      (error: unknown) => told({ kind: 'failed', error: asTroupeError(error) }),
    )
  }

  watch(id: number, address: string): void {
    const abort = new AbortController()
    const work: Work = { lasts: false, off: () => abort.abort(), credit: 0, wake: undefined }
    this.#work.set(id, work)
    this.#nodes.local.watch(address, abort.signal).then(
      (ending) => {
        if (this.#work.get(id) !== work) return
        this.#work.delete(id)
        this.#say({ t: 'ended', id, ending: ending.kind === 'failed' ? { kind: 'failed', error: asTroupeError(ending.error) } : ending })
      },
      noop,
    )
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────

  /** Nobody there wants the outcome any more. */
  off(id: number): void {
    const work = this.#work.get(id)
    this.#work.delete(id)
    work?.off()
    work?.wake?.()
  }

  /** Whoever asked is gone, or does not know any more. */
  broke(): void {
    this.#breaks++
    const all = [...this.#work.values()]
    this.#work.clear()
    for (const { lasts, off, wake } of all) {
      if (!lasts) off()
      wake?.()
    }
  }

  #ref({ to }: Envelope): Ref {
    return this.#parts.ref(ANYTHING, to)
  }
}

const noop = (): void => {}
const ANYTHING: Protocol = { specs: {} }
const PRIORITIES = Object.keys(PRIORITY) as readonly PriorityName[]
const priorityOf = ({ priority }: Envelope): PriorityName => PRIORITIES[priority] as PriorityName

function messageOf({ type, body }: Envelope): Message {
  return { ...(unpack(body) as Message), type }
}

const senderOf = ({ id, trace, from }: Envelope): Sender => ({ address: from, cause: { id, trace, deadline: 0, entry: 0 }, asker: undefined, isForeign: true })
