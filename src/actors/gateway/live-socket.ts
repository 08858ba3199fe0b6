/** A WebSocket of the server, as conversations see it, with room for as much as its reader takes. */
import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { SOCKET_BYTES_MAX } from './limits.js'
import type { Socket } from './socket.js'

/** The subprotocol of conversations. */
export const SUBPROTOCOL = 'troupe.v1'
const OPEN = 1
/** A close reason may have 123 bytes. */
const REASON_BYTES_MAX = 120

/** As much as is used of a socket of `ws`. */
interface WsSocket {
  readonly readyState: number
  readonly bufferedAmount: number
  send(text: string, sent?: (error?: Error) => void): void
  close(code: number, reason: string): void
  terminate(): void
  ping(): void
  on(event: 'message', take: (data: Buffer | ArrayBuffer | Buffer[], isBinary: boolean) => void): unknown
  on(event: 'close' | 'pong', done: () => void): unknown
}

export class LiveSocket implements Socket {
  readonly #socket: WsSocket
  #alive = true
  #onLeave: (() => void) | undefined

  constructor(socket: WsSocket) {
    this.#socket = socket
    socket.on('pong', () => (this.#alive = true))
  }

  get open(): boolean {
    return this.#socket.readyState === OPEN
  }

  send(text: string): Promise<void> | undefined {
    const socket = this.#socket
    if (!this.open) return undefined
    if (socket.bufferedAmount <= SOCKET_BYTES_MAX) {
      socket.send(text)
      return undefined
    }
    // It is called with an error when the socket closes first: either way there is nothing to wait for.
    return new Promise((resolve) => socket.send(text, () => resolve()))
  }

  onText(take: (text: string) => void): void {
    this.#socket.on('message', (data, isBinary) => {
      if (isBinary) this.close(1003, 'send JSON as text')
      else take((Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)).toString())
    })
  }

  onClose(closed: () => void): void {
    this.#socket.on('close', closed)
  }

  onLeave(leave: () => void): void {
    this.#onLeave = leave
  }

  leave(code: number, reason: string): void {
    if (this.#onLeave === undefined) this.close(code, reason)
    else this.#onLeave()
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, Buffer.from(reason).subarray(0, REASON_BYTES_MAX).toString().replaceAll('\ufffd', ''))
  }

  /** Whoever has not answered since the last one is gone. */
  beat(): void {
    if (!this.#alive) return this.#socket.terminate()
    this.#alive = false
    if (this.open) this.#socket.ping()
  }

  /** As much of a response as a call's signal looks at. */
  get asResponse(): ServerResponse {
    const response = Object.assign(new EventEmitter(), { writableFinished: false, destroyed: !this.open })
    this.#socket.on('close', () => response.emit('close'))
    return response as unknown as ServerResponse
  }
}
