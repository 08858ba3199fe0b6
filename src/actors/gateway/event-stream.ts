/** Server-sent events into one response, no faster than its reader takes them. */
import type { ServerResponse } from 'node:http'
import { toJson } from './json.js'

export interface EventWriter {
  /** Sends one event; a promise when the reader is behind, settled when it has caught up or left. */
  send(data: unknown, how?: { readonly event?: string; readonly id?: string }): Promise<void> | undefined
  /** The same with data that is text already. */
  text(data: string): Promise<void> | undefined
  /** Whether the reader has left. */
  readonly closed: boolean
}

export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // Otherwise nginx gathers chunks until they are many.
  'x-accel-buffering': 'no',
} as const

export class EventStream implements EventWriter {
  readonly #response: ServerResponse

  constructor(response: ServerResponse) {
    this.#response = response
  }

  get closed(): boolean {
    return this.#response.destroyed || this.#response.writableEnded
  }

  send(data: unknown, { event, id }: { readonly event?: string; readonly id?: string } = {}): Promise<void> | undefined {
    return this.#write(`${event === undefined ? '' : `event: ${event}\n`}${id === undefined ? '' : `id: ${id}\n`}data: ${toJson(data)}\n\n`)
  }

  text(data: string): Promise<void> | undefined {
    return this.#write(`data: ${data}\n\n`)
  }

  /** Shows that the stream lives, and finds out whether its reader does; not while the reader is behind. */
  beat(): void {
    if (!this.closed && !this.#response.writableNeedDrain) this.#response.write(':\n\n')
  }

  #write(text: string): Promise<void> | undefined {
    const response = this.#response
    if (this.closed || response.write(text)) return undefined
    return new Promise((resolve) => {
      const caughtUp = (): void => {
        response.off('drain', caughtUp)
        response.off('close', caughtUp)
        resolve()
      }
      response.on('drain', caughtUp)
      response.on('close', caughtUp)
    })
  }
}
