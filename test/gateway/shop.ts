// A troupe with a gateway before it, and what its tests watch of both.
import { connect, type Socket } from 'node:net'
import { actor, createTroupe, protocol, request, type Troupe, type TroupeOptions } from 'troupe'
import { gateway, type GatewayOptions } from 'troupe/actors'
import { z } from 'zod'
import { gate } from '../runtime/stage.js'
import { Counter, Pet } from './protocols.js'

export { Counter, Pet }

/** Runs here, and is not shown. */
export const Vault = protocol({ open: request(null, z.string()) })

export interface Seen {
  made: number
  /** Why the last wait or count was called off. */
  readonly calledOff: Promise<unknown>
  /** A wait has begun. */
  readonly waiting: Promise<void>
  /** Lets waits end. */
  readonly release: () => void
}

export interface Stage {
  readonly troupe: Troupe
  readonly url: string
  readonly port: number
  readonly seen: Seen
  readonly get: (path: string, init?: RequestInit) => Promise<Response>
  readonly post: (path: string, body: unknown, headers?: Record<string, string>) => Promise<Response>
}

function counter(seen: { made: number }, calledOff: (why: unknown) => void, begun: () => void, released: Promise<void>) {
  const notes: string[] = []
  return actor(Counter, {
    concurrency: 2_000,
    on: {
      add: ({ a, b }) => a + b,
      note: ({ text }) => void notes.push(text),
      notes: () => notes,
      count: async function* ({ to, size }, me) {
        try {
          for (let n = 1; n <= to; n++) yield { n: (seen.made = n), ...(size !== undefined && { pad: 'x'.repeat(size) }) }
        } finally {
          if (me.signal.aborted) calledOff((me.signal.reason as { details: unknown }).details)
        }
      },
      wait: async (_, me) => {
        begun()
        await Promise.race([released, new Promise((_resolve, reject) => me.signal.addEventListener('abort', () => reject(me.signal.reason as Error)))]).catch((error: { details: unknown }) => calledOff(error.details))
        return null
      },
      fail: () => {
        throw new Error('the secret is 42')
      },
    },
  })
}

export async function open(options: Partial<GatewayOptions> = {}, troupeOptions: TroupeOptions = {}): Promise<Stage> {
  const troupe = await createTroupe({ log: () => {}, ...troupeOptions })
  const calledOff = gate<unknown>()
  const waiting = gate()
  const released = gate()
  const seen = { made: 0, calledOff: calledOff.passed, waiting: waiting.passed, release: () => released.open() }
  troupe.spawn('counter', counter(seen, (why) => calledOff.open(why), () => waiting.open(), released.passed))
  troupe.spawn('vault', actor(Vault, { on: { open: () => 'gold' } }))
  troupe.keyed('pet', actor(Pet, { on: { name: (_, me) => me.id.slice('pet/'.length) } }))
  const { url, port } = await troupe.spawn('gateway', gateway(troupe, { actors: { counter: Counter, 'pet/*': Pet }, ...options })).ask({ type: 'listening' })
  const get = (path: string, init?: RequestInit): Promise<Response> => fetch(`${url}${path}`, init)
  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    get(path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body) })
  return { troupe, url, port, seen, get, post }
}

/** Sends bytes as they are, and gives all that comes back until the other side closes. */
export function raw(port: number, text: string, { keepOpen = false }: { readonly keepOpen?: boolean } = {}): { readonly socket: Socket; readonly answer: Promise<string> } {
  const socket = connect(port, '127.0.0.1')
  let got = ''
  socket.on('data', (bytes: Buffer) => (got += bytes.toString()))
  socket.write(text)
  if (!keepOpen) socket.on('data', () => {})
  const answer = new Promise<string>((resolve) => {
    socket.on('error', () => {})
    socket.on('close', () => resolve(got))
  })
  return { socket, answer }
}

export interface Event {
  readonly event: string
  readonly id: string
  readonly data: unknown
}

/** The events of a response, until its end. */
export async function* eventsOf(response: Response): AsyncGenerator<Event> {
  let text = ''
  for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(bytes).toString()
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n')
      text = text.slice(end + 2)
      const field = (name: string): string => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? ''
      if (field('data') !== '') yield { event: field('event'), id: field('id'), data: JSON.parse(field('data')) as unknown }
    }
  }
}

export async function collect(events: AsyncIterable<Event>, most = Infinity): Promise<Event[]> {
  const all: Event[] = []
  for await (const each of events) if (all.push(each) >= most) break
  return all
}
