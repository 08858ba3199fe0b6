/** Owns: what stands open for long, event streams and conversations, and the heartbeats that show which of them live. */
import type { ServerResponse } from 'node:http'
import { settledWithin, type Clock, type Timer } from '../../ground/clock.js'
import { EventStream } from './event-stream.js'
import { FAREWELL_MS, HEARTBEAT_MS } from './limits.js'
import { LiveSocket, type WsSocket } from './live-socket.js'
import type { Metrics } from './metrics.js'

const LEAVING = 'the gateway is stopping'
const GOING_AWAY = 1001

export class OpenLines {
  readonly #streams = new Set<EventStream>()
  readonly #sockets = new Set<LiveSocket>()
  /** Those that have not closed yet: a conversation that is over may have a peer that does not say goodbye. */
  readonly #lines = new Set<WsSocket>()
  readonly #clock: Clock
  readonly #metrics: Metrics
  #beat: Timer | undefined

  constructor(clock: Clock, metrics: Metrics) {
    this.#clock = clock
    this.#metrics = metrics
  }

  /** Until `end`. */
  beats(): void {
    this.#beat = this.#clock.timer(
      HEARTBEAT_MS,
      () => {
        for (const events of this.#streams) events.beat()
        for (const socket of this.#sockets) socket.beat()
        this.beats()
      },
      true,
    )
  }

  /** Runs with events into a response, which stays open. */
  async stream(response: ServerResponse, run: (events: EventStream) => Promise<void>): Promise<void> {
    const events = new EventStream(response)
    this.#streams.add(events)
    this.#count()
    await run(events)
    this.#streams.delete(events)
    this.#count()
  }

  /** Runs with a conversation. */
  async converse(line: WsSocket, run: (socket: LiveSocket) => Promise<void>): Promise<void> {
    const socket = new LiveSocket(line)
    this.#lines.add(line)
    line.on('close', () => void this.#lines.delete(line))
    this.#sockets.add(socket)
    this.#count()
    await run(socket)
    this.#sockets.delete(socket)
    this.#count()
  }

  #count(): void {
    this.#metrics.streams = this.#streams.size
    this.#metrics.conversations = this.#sockets.size
  }

  /** Tells conversations that they are to come to their end. */
  leave(): void {
    for (const socket of this.#sockets) socket.leave(GOING_AWAY, LEAVING)
  }

  async end(): Promise<void> {
    for (const socket of this.#sockets) socket.close(GOING_AWAY, LEAVING)
    await settledWithin(Promise.all(Array.from(this.#lines, (line) => new Promise<void>((resolve) => void line.on('close', resolve)))), FAREWELL_MS, this.#clock)
    for (const line of this.#lines) line.terminate()
    this.#beat?.cancel()
  }
}
