// Other sides that are no good gateways: over real sockets, and in the test's own hands.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { OpenSocket } from 'troupe/client'

export type Answering = (response: ServerResponse, request: IncomingMessage) => void

export interface Rogue {
  readonly url: string
  /** What it was asked, in order. */
  readonly asked: IncomingMessage[]
  close(): void
}

/** Answers the first request by the first of `answers`, and so on; the last holds for all further ones. */
export async function rogue(...answers: readonly Answering[]): Promise<Rogue> {
  const asked: IncomingMessage[] = []
  const server = createServer((request, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)]
    asked.push(request)
    answer?.(response, request)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = (): void => {
    server.close()
    server.closeAllConnections()
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, close }
}

export const chunk = (id: string, data: unknown): string => `id: ${id}\ndata: ${JSON.stringify(data)}\n\n`
export const END = 'event: end\ndata: null\n\n'

/** A body that the test writes. */
export function body(): { readonly response: () => Response; readonly write: (text: string) => void; readonly end: () => void } {
  const { readable, writable } = new TransformStream<string, string>()
  const writer = writable.getWriter()
  return {
    response: () => new Response(readable.pipeThrough(new TextEncoderStream())),
    write: (text) => void writer.write(text).catch(() => {}),
    end: () => void writer.close().catch(() => {}),
  }
}

/** A WebSocket without a network. */
export class HandHeld {
  readyState = 0
  readonly sent: unknown[] = []
  readonly closed: unknown[] = []
  onopen: (() => void) | null = null
  onclose: (() => void) | null = null
  onerror: (() => void) | null = null
  onmessage: ((event: { readonly data: unknown }) => void) | null = null
  readonly open: OpenSocket = () => this

  opens(): void {
    this.readyState = 1
    this.onopen?.()
  }
  says(data: unknown): void {
    this.onmessage?.({ data: typeof data === 'string' || data instanceof Uint8Array ? data : JSON.stringify(data) })
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text))
  }
  close(code?: number): void {
    this.readyState = 2
    this.closed.push(code)
  }
}
