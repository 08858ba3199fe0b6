/** A WebSocket of the server, as conversations see it, with room for as much as its reader takes. */
import { SOCKET_BYTES_MAX, STUCK_BEATS_MAX } from './limits.js'
import type { Socket } from './socket.js'

/** The subprotocol of conversations. */
export const SUBPROTOCOL = 'troupe.v1'
const OPEN = 1
/** A page does not see pings, and cannot tell a silent gateway from one that is gone. */
const BEAT = JSON.stringify({ id: 0, beat: true })
/** A close reason may have 123 bytes. */
const REASON_BYTES_MAX = 120

/** As much as is used of a socket of `ws`. */
export interface WsSocket {
  readonly readyState: number
  readonly bufferedAmount: number
  send(text: string, sent?: (error?: Error) => void): void
  close(code: number, reason: string): void
  terminate(): void
  ping(): void
  pause(): void
  resume(): void
  on(event: 'message', take: (data: Buffer | ArrayBuffer | Buffer[], isBinary: boolean) => void): unknown
  on(event: 'close' | 'pong', done: () => void): unknown
}

export class LiveSocket implements Socket {
  readonly #socket: WsSocket
  #alive = true
  /** Answers that wait for a reader who is behind; meanwhile nothing more is read, as it would want answers too. */
  #waiting = 0
  #stuck = 0
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
    if (this.#waiting++ === 0) socket.pause()
    return new Promise((resolve) => {
      // It is called with an error when the socket closes first: either way there is nothing to wait for.
      socket.send(text, () => {
        this.#stuck = 0
        if (--this.#waiting === 0) socket.resume()
        resolve()
      })
    })
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

  /** Whoever has not answered since the last one is gone; one that is behind cannot be heard, and is given more time. */
  beat(): void {
    if (this.#waiting > 0) {
      if (++this.#stuck > STUCK_BEATS_MAX) this.#socket.terminate()
      return
    }
    if (!this.#alive) return this.#socket.terminate()
    this.#alive = false
    if (!this.open) return
    this.#socket.ping()
    this.#socket.send(BEAT)
  }
}
