/**
 * Many messages over one WebSocket.
 * Owns: what waits for an answer, and whether the other side still lives.
 *
 * Invariants:
 * C1. Each message ends once: by its answer, its caller, its time, or the end of the conversation.
 * C2. A stream gives its actor credit as it is read, so that a slow reader slows it down; whoever sends more is no gateway.
 */
import type { Clock, Timer } from '../ground/clock.js'
import { milliseconds, type Duration } from '../ground/duration.js'
import { TroupeError } from '../ground/errors.js'
import type { ChunkOf, EventKey, MessageOf, Protocol, ReplyOf, RequestKey, Specs, StreamKey } from '../runtime/protocol.js'
import { ANSWER_CHARS_MAX, CREDIT, GRACE_MS, TIMEOUT_DEFAULT_MS, WAITING_MAX } from './limits.js'
import { toJson, type OverJson } from './over-json.js'
import { calledOff, fromProblem, noGateway, parse, silent, unanswered } from './problems.js'
import { timeLimit } from './time-limit.js'

/** As much as is used of the platform's WebSocket, or of the one of `ws`. */
export interface AnySocket {
  readonly readyState: number
  send(text: string): void
  close(code?: number): void
  /** `ws` has it: its `close` waits for the other side. */
  terminate?(): void
  onopen: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
}
export type OpenSocket = (url: string, protocols: string[]) => AnySocket

export interface ConversationOptions {
  readonly key?: string
  readonly timeout?: Duration
  readonly webSocket?: OpenSocket
  readonly idleMs: number
  readonly clock: Clock
}
interface Sending {
  readonly timeout?: Duration
  readonly signal?: AbortSignal
}
type Frame = { readonly id: number } & Readonly<Record<string, unknown>>
/** What becomes of a message: frames of the gateway, or an error of ours, which is its last. */
type Take = (what: Frame | TroupeError) => void

const SUBPROTOCOL = 'troupe.v1'
const OPEN = 1
/** Of those that an application may use. */
const VIOLATION = 4_000

export class Conversation<S extends Specs> {
  readonly #socket: AnySocket
  readonly #options: ConversationOptions
  readonly #url: string
  readonly #waiting = new Map<number, Take>()
  #ids = 0
  #ended: TroupeError | undefined
  #heardAt: number
  #watch: Timer

  static open<S extends Specs>(_protocol: Protocol<S>, url: string, options: ConversationOptions, { timeout = options.timeout ?? TIMEOUT_DEFAULT_MS, signal }: Sending = {}): Promise<Conversation<S>> {
    const address = url.replace(/^http/, 'ws')
    if (signal?.aborted === true) return Promise.reject(calledOff())
    // A browser's WebSocket sets no headers, so the key travels as a subprotocol.
    const socket = (options.webSocket ?? platformSocket)(address, options.key === undefined ? [SUBPROTOCOL] : [SUBPROTOCOL, `bearer.${base64url(options.key)}`])
    return new Promise((resolve, reject) => {
      const limit = timeLimit(options.clock, milliseconds(timeout), signal)
      const refused = (): void => {
        limit.lift()
        reject(new TroupeError('Interrupted', `no conversation with ${address}`, 'see whether the gateway is there, and lets this key in'))
      }
      const opened = (): void => {
        limit.lift()
        resolve(new Conversation<S>(socket, address, options))
      }
      listen(socket, { onerror: refused, onclose: refused, onopen: opened })
      limit.signal.addEventListener('abort', () => {
        reject(limit.isOver() ? unanswered(address) : calledOff())
        refused()
        socket.close()
      })
    })
  }

  private constructor(socket: AnySocket, url: string, options: ConversationOptions) {
    this.#socket = socket
    this.#url = url
    this.#options = options
    this.#heardAt = options.clock.elapsed()
    this.#watch = this.#watchFor(options.idleMs)
    listen(socket, { onmessage: ({ data }: { readonly data: unknown }) => this.#hear(data), onclose: () => this.#end(broken()), onerror: () => {} })
  }

  async tell<K extends EventKey<S>>(message: MessageOf<OverJson<S>, K>, options: Sending = {}): Promise<void> {
    await this.#ask(message, options)
  }

  async ask<K extends RequestKey<S>>(message: MessageOf<OverJson<S>, K>, options: Sending = {}): Promise<ReplyOf<OverJson<S>, K>> {
    return (await this.#ask(message, options))['reply'] as ReplyOf<OverJson<S>, K>
  }

  async *stream<K extends StreamKey<S>>(message: MessageOf<OverJson<S>, K>, options: Sending = {}): AsyncGenerator<ChunkOf<OverJson<S>, K>, undefined> {
    const come: (Frame | TroupeError)[] = []
    let wake: (() => void) | undefined
    const take: Take = (what) => {
      come.push(what)
      wake?.()
      // One more than the credit, for the end.
      if (come.length > CREDIT + 1) this.#break(noGateway('more chunks than there is credit for'))
    }
    const id = this.#send(message, options, take)
    const leave = (): void => take(calledOff())
    options.signal?.addEventListener('abort', leave)
    let over = false
    try {
      for (let read = 0; ; ) {
        if (come.length === 0) await new Promise<void>((resolve) => (wake = resolve))
        if (options.signal?.aborted === true) throw calledOff()
        const what = come.shift()
        if (what === undefined) continue
        if (what instanceof TroupeError) throw what
        over = !('chunk' in what)
        if ('error' in what) throw fromProblem(what['error'])
        if (over) return undefined
        yield what['chunk'] as ChunkOf<OverJson<S>, K>
        if (++read % (CREDIT / 2) === 0) this.#tell({ id, credit: CREDIT / 2 })
      }
    } finally {
      options.signal?.removeEventListener('abort', leave)
      this.#waiting.delete(id)
      if (!over) this.#tell({ id, cancel: true })
    }
  }

  /** Ends the conversation; what is under way is called off. */
  close(): void {
    this.#end(broken())
    this.#socket.close(1000)
  }

  #ask(message: object, options: Sending): Promise<Frame> {
    const { clock, timeout = TIMEOUT_DEFAULT_MS } = this.#options
    return new Promise((resolve, reject) => {
      const limit = timeLimit(clock, milliseconds(options.timeout ?? timeout) + GRACE_MS, options.signal)
      const done: Take = (what) => {
        limit.lift()
        limit.signal.removeEventListener('abort', leave)
        this.#waiting.delete(id)
        if (what instanceof TroupeError) reject(what)
        else if ('error' in what) reject(fromProblem(what['error']))
        else resolve(what)
      }
      const leave = (): void => {
        this.#tell({ id, cancel: true })
        done(limit.isOver() ? unanswered(this.#url) : calledOff())
      }
      let id = 0
      try {
        id = this.#send(message, options, done)
        limit.signal.addEventListener('abort', leave)
      } catch (error) {
        done(error as TroupeError)
      }
    })
  }

  #send(message: object, { timeout = this.#options.timeout, signal }: Sending, take: Take): number {
    if (this.#ended !== undefined) throw this.#ended
    if (this.#socket.readyState !== OPEN) throw broken()
    if (signal?.aborted === true) throw calledOff()
    if (this.#waiting.size >= WAITING_MAX) throw new TroupeError('Overloaded', `${WAITING_MAX} messages of this conversation wait for their answers`, 'wait for an answer first', { retryAfterMs: 0 })
    const id = ++this.#ids
    const text = toJson({ id, message, ...(timeout !== undefined && { timeout: milliseconds(timeout) }) })
    this.#waiting.set(id, take)
    this.#socket.send(text)
    return id
  }

  #tell(frame: object): void {
    if (this.#socket.readyState === OPEN) this.#socket.send(toJson(frame))
  }

  #hear(data: unknown): void {
    if (this.#ended !== undefined) return
    this.#heardAt = this.#options.clock.elapsed()
    try {
      const frame = frameOf(data)
      this.#waiting.get(frame.id)?.(frame)
    } catch (error) {
      this.#break(error as TroupeError)
    }
  }

  /** Its pings are not shown to a page, so the gateway sends frames as well. */
  #watchFor(ms: number): Timer {
    const { clock, idleMs } = this.#options
    return clock.timer(ms, () => {
      const silentMs = clock.elapsed() - this.#heardAt
      if (silentMs < idleMs) this.#watch = this.#watchFor(idleMs - silentMs)
      else this.#break(silent(this.#url, idleMs))
    })
  }

  /** There is nobody to say goodbye to, or nobody who would understand. */
  #break(why: TroupeError): void {
    if (this.#ended !== undefined) return
    this.#end(why)
    if (this.#socket.terminate === undefined) this.#socket.close(VIOLATION)
    else this.#socket.terminate()
  }

  #end(why: TroupeError): void {
    if (this.#ended !== undefined) return
    this.#ended = why
    this.#watch.cancel()
    for (const take of this.#waiting.values()) take(why)
    this.#waiting.clear()
  }
}

function frameOf(data: unknown): Frame {
  if (typeof data !== 'string') throw noGateway('bytes')
  if (data.length > ANSWER_CHARS_MAX) throw new TroupeError('InvalidMessage', `a frame has more than ${ANSWER_CHARS_MAX} characters`, 'let the actor reply with less, or stream it')
  const frame = parse(data)
  if (typeof frame === 'object' && frame !== null && typeof (frame as { id?: unknown }).id === 'number') return frame as Frame
  throw noGateway(data)
}

/** As properties: the types of `addEventListener` differ from platform to platform, and of `ws`. */
const listen = (socket: AnySocket, listeners: Partial<Pick<AnySocket, 'onopen' | 'onclose' | 'onerror' | 'onmessage'>>): void => void Object.assign(socket, listeners)

const broken = (): TroupeError => new TroupeError('Interrupted', 'the conversation has ended', 'open another with client.converse()')

const base64url = (text: string): string => btoa(String.fromCharCode(...new TextEncoder().encode(text))).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')

const platformSocket: OpenSocket = (url, protocols) => {
  const { WebSocket } = globalThis as unknown as { readonly WebSocket?: new (url: string, protocols: string[]) => AnySocket }
  if (WebSocket === undefined) throw new TroupeError('MissingDependency', 'this platform has no WebSocket', "npm install ws, and give client(…, { webSocket: (url, protocols) => new WebSocket(url, protocols) }) its WebSocket", { dependency: 'ws' })
  return new WebSocket(url, protocols)
}
