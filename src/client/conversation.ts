/**
 * Many messages over one WebSocket.
 * Owns: what waits for an answer. A stream gives its actor credit as it is read, so that a slow reader slows it down.
 */
import { milliseconds, type Duration } from '../ground/duration.js'
import { TroupeError } from '../ground/errors.js'
import type { ChunkOf, EventKey, MessageOf, Protocol, ReplyOf, RequestKey, Specs, StreamKey } from '../runtime/protocol.js'
import { fromProblem } from './problems.js'

/** As much as is used of the platform's WebSocket, or of the one of `ws`. */
export interface AnySocket {
  readonly readyState: number
  send(text: string): void
  close(code?: number): void
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
}
interface Sending {
  readonly timeout?: Duration
  readonly signal?: AbortSignal
}
type Frame = { readonly id: number } & Readonly<Record<string, unknown>>
type Take = (frame: Frame) => void

const SUBPROTOCOL = 'troupe.v1'
const OPEN = 1
/** As the gateway begins; half of it is given back at a time. */
const CREDIT = 32

export class Conversation<S extends Specs> {
  readonly #socket: AnySocket
  readonly #options: ConversationOptions
  readonly #waiting = new Map<number, Take>()
  #ids = 0

  static open<S extends Specs>(_protocol: Protocol<S>, url: string, options: ConversationOptions): Promise<Conversation<S>> {
    const address = url.replace(/^http/, 'ws')
    // A browser's WebSocket sets no headers, so the key travels as a subprotocol.
    const socket = (options.webSocket ?? platformSocket)(address, options.key === undefined ? [SUBPROTOCOL] : [SUBPROTOCOL, `bearer.${base64url(options.key)}`])
    return new Promise((resolve, reject) => {
      const refused = (): void => reject(new TroupeError('Interrupted', `no conversation with ${address}`, 'see whether the gateway is there, and lets this key in'))
      listen(socket, { onerror: refused, onclose: refused, onopen: () => resolve(new Conversation<S>(socket, options)) })
    })
  }

  private constructor(socket: AnySocket, options: ConversationOptions) {
    this.#socket = socket
    this.#options = options
    listen(socket, { onmessage: ({ data }: { readonly data: unknown }) => this.#take(JSON.parse(data as string) as Frame), onclose: () => this.#broke() })
  }

  #broke(): void {
    for (const [id, take] of this.#waiting) take({ id, error: broken() })
    this.#waiting.clear()
  }

  async tell<K extends EventKey<S>>(message: MessageOf<S, K>, options: Sending = {}): Promise<void> {
    await this.#ask(message, options)
  }

  async ask<K extends RequestKey<S>>(message: MessageOf<S, K>, options: Sending = {}): Promise<ReplyOf<S, K>> {
    return (await this.#ask(message, options))['reply'] as ReplyOf<S, K>
  }

  async *stream<K extends StreamKey<S>>(message: MessageOf<S, K>, options: Sending = {}): AsyncGenerator<ChunkOf<S, K>, undefined> {
    const frames: Frame[] = []
    let wake: (() => void) | undefined
    const id = this.#send(message, options, (frame) => {
      frames.push(frame)
      wake?.()
    })
    let over = false
    const cancel = (): void => this.#write({ id, cancel: true })
    options.signal?.addEventListener('abort', cancel)
    try {
      for (let read = 0; ; ) {
        if (frames.length === 0) await new Promise<void>((resolve) => (wake = resolve))
        const frame = frames.shift()
        if (frame === undefined) continue
        over = !('chunk' in frame)
        if ('error' in frame) throw fromProblem(frame['error'])
        if (over) return undefined
        yield frame['chunk'] as ChunkOf<S, K>
        if (++read % (CREDIT / 2) === 0) this.#write({ id, credit: CREDIT / 2 })
      }
    } finally {
      options.signal?.removeEventListener('abort', cancel)
      this.#waiting.delete(id)
      if (!over) cancel()
    }
  }

  /** Ends the conversation; what is under way is called off. */
  close(): void {
    this.#socket.close(1000)
  }

  #ask(message: object, options: Sending): Promise<Frame> {
    return new Promise((resolve, reject) => {
      const cancel = (): void => this.#write({ id, cancel: true })
      const id = this.#send(message, options, (frame) => {
        options.signal?.removeEventListener('abort', cancel)
        this.#waiting.delete(frame.id)
        if ('error' in frame) reject(fromProblem(frame['error']))
        else resolve(frame)
      })
      options.signal?.addEventListener('abort', cancel)
    })
  }

  #send(message: object, { timeout = this.#options.timeout, signal }: Sending, take: Take): number {
    if (this.#socket.readyState !== OPEN) throw fromProblem(broken())
    if (signal?.aborted === true) throw new TroupeError('Cancelled', 'the message was called off before it was sent', 'the signal given with it has fired', { reason: 'caller' })
    const id = ++this.#ids
    this.#waiting.set(id, take)
    this.#write({ id, message, ...(timeout !== undefined && { timeout: milliseconds(timeout) }) })
    return id
  }

  #write(frame: object): void {
    if (this.#socket.readyState === OPEN) this.#socket.send(JSON.stringify(frame))
  }

  #take(frame: Frame): void {
    this.#waiting.get(frame.id)?.(frame)
  }
}

/** As properties: the types of `addEventListener` differ from platform to platform, and of `ws`. */
const listen = (socket: AnySocket, listeners: Partial<Pick<AnySocket, 'onopen' | 'onclose' | 'onerror' | 'onmessage'>>): void => void Object.assign(socket, listeners)

const broken = (): object => ({ code: 'Interrupted', message: 'the conversation has ended', hint: 'open another with client.converse()' })

const base64url = (text: string): string => btoa(String.fromCharCode(...new TextEncoder().encode(text))).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')

const platformSocket: OpenSocket = (url, protocols) => {
  const { WebSocket } = globalThis as unknown as { readonly WebSocket?: new (url: string, protocols: string[]) => AnySocket }
  if (WebSocket === undefined) throw new TroupeError('MissingDependency', 'this platform has no WebSocket', "npm install ws, and give client(…, { webSocket: (url, protocols) => new WebSocket(url, protocols) }) its WebSocket", { dependency: 'ws' })
  return new WebSocket(url, protocols)
}
