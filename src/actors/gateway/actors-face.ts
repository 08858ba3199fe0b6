/** Chosen actors over plain HTTP: a request is answered, an event accepted, a stream sent as events. */
import type { Clock } from '../../ground/clock.js'
import { TroupeError } from '../../ground/errors.js'
import type { Message, Ref } from '../../runtime/index.js'
import { converse } from './conversation.js'
import type { EventWriter } from './event-stream.js'
import type { Answer, Call, Face, House } from './face.js'
import { parseJson } from './json.js'
import { KeptStreams, type Reading } from './kept-streams.js'
import { FIRST_CHUNK_MS } from './limits.js'
import { addressed, timeoutOf } from './message.js'

const ACTORS = '/actors/*'

export const actorsFace: Face = {
  routes: (house) => {
    const desk = new Desk(house)
    return [
      { method: 'POST', path: ACTORS, handle: (call) => desk.take(call, call.body) },
      // What a browser's EventSource can do: a stream whose message is in the query.
      { method: 'GET', path: ACTORS, handle: (call) => desk.listen(call), converse: (call, socket) => converse(house, call, socket) },
      { method: 'DELETE', path: ACTORS, handle: (call) => desk.callOff(call) },
    ]
  },
}

type Next = IteratorResult<unknown>
type First = { readonly kind: 'chunk'; readonly next: Next } | { readonly kind: 'later' }

class Desk {
  readonly #house: House
  readonly #kept: KeptStreams
  readonly #refs = new Map<string, Ref>()

  constructor(house: House) {
    this.#house = house
    this.#kept = new KeptStreams(house.troupe, house.clock)
    house.troupe.stopping.addEventListener('abort', () => this.#kept.stop(), { once: true })
  }

  take(call: Call, body: unknown): Answer | Promise<Answer> {
    const address = call.rest
    const ref = this.#ref(address)
    const { message, kind } = addressed(ref.protocol, address, body, (type) => {
      call.asks(type)
      call.allow(address, type)
    })
    const timeout = timeoutOf(call.headers['troupe-timeout'], this.#house.timeoutMaxMs)
    switch (kind) {
      case 'event':
        return accepted(ref, message, call.signal)
      case 'request':
        return answered(ref, message, call.signal, timeout)
      case 'stream':
        return this.#stream(call, ref, message, timeout)
    }
  }

  /** A stream by its address alone: the message stands in the query, or the event id of a stream to go on with in a header. */
  listen(call: Call): Answer | Promise<Answer> {
    const { message = '{}' } = call.query
    const body = parseJson(message)
    const type = (body as { type?: unknown } | null)?.type
    const spec = typeof type === 'string' ? this.#house.shop.protocol(call.rest).specs[type] : undefined
    if (spec?.kind === 'stream') return this.take(call, body)
    throw new TroupeError('InvalidMessage', 'GET opens streams, and this is none', 'send it as the body of a POST, or open a WebSocket here')
  }

  callOff(call: Call): Answer {
    this.#kept.cancel(String(call.headers['last-event-id'] ?? ''), { caller: call.caller, address: call.rest })
    return { kind: 'json', status: 202, body: null }
  }

  /** A ref remembers where it leads; keyed addresses are too many to be kept. */
  #ref(address: string): Ref {
    const known = this.#refs.get(address)
    if (known !== undefined) return known
    const { troupe, shop, from } = this.#house
    const ref = troupe.ref(shop.protocol(address), address, { from })
    if (!address.includes('/')) this.#refs.set(address, ref)
    return ref
  }

  async #stream(call: Call, ref: Ref, message: Message, timeout: number | undefined): Promise<Answer> {
    const reading = this.#reading(call, ref, message, timeout)
    // A connection may break before its first event is read: this is what to go on after then.
    const start = reading.eventId()
    const next = reading.chunks.next()
    try {
      const first = await firstOf(next, this.#house.clock)
      return { kind: 'events', ...(start !== '' && { headers: { 'troupe-stream': start } }), run: (events) => send(reading, first.kind === 'chunk' ? first.next : next, events, call.signal) }
    } catch (error) {
      reading.left()
      throw error
    }
  }

  #reading(call: Call, ref: Ref, message: Message, timeout: number | undefined): Reading {
    const owner = { caller: call.caller, address: ref.address }
    const last = call.headers['last-event-id']
    if (typeof last === 'string' && last !== '') return this.#kept.resume(last, owner)
    const kept = call.headers['troupe-resumable'] === 'yes' || call.method === 'GET' ? this.#kept.open(ref, message, owner, timeout) : undefined
    if (kept !== undefined) return kept
    const chunks = ref.stream(message as never, { signal: call.signal, ...(timeout !== undefined && { timeout }) })
    return { chunks: Object.assign(chunks, { id: 0, sequence: 0 }), eventId: () => '', left: () => {} }
  }
}

async function accepted(ref: Ref, message: Message, signal: AbortSignal): Promise<Answer> {
  await ref.tell(message as never, { signal })
  return { kind: 'json', status: 202, body: null }
}

function answered(ref: Ref, message: Message, signal: AbortSignal, timeout: number | undefined): Answer {
  const body = ref.ask(message as never, timeout === undefined ? { signal } : { signal, timeout })
  return { kind: 'json', status: 200, body }
}

/** The first chunk, or that it takes a while: an error that is known at once becomes the status. */
function firstOf(next: Promise<Next>, clock: Clock): Promise<First> {
  return new Promise((resolve, reject) => {
    const timer = clock.timer(FIRST_CHUNK_MS, () => resolve({ kind: 'later' }))
    next.then(
      (next) => {
        timer.cancel()
        resolve({ kind: 'chunk', next })
      },
      (error: Error) => {
        timer.cancel()
        reject(error)
      },
    )
  })
}

/** Sends chunks as fast as they are read, then the end. */
async function send({ chunks, eventId, left }: Reading, first: Next | Promise<Next>, events: EventWriter, signal: AbortSignal): Promise<void> {
  // A kept stream does not end with its reader; whoever waits for its next chunk must be woken.
  const leave = (): void => void chunks.return?.()
  if (signal.aborted) leave()
  else signal.addEventListener('abort', leave, { once: true })
  let ended = true
  try {
    let next = await first
    for (; next.done !== true; next = await chunks.next()) {
      const id = eventId()
      const room = events.send(next.value, id === '' ? {} : { id })
      if (room !== undefined) await room
      if (events.closed || signal.aborted) break
    }
    ended = next.done === true && !signal.aborted
    if (signal.aborted) throw signal.reason
    if (ended) void events.send(null, { event: 'end' })
  } finally {
    signal.removeEventListener('abort', leave)
    if (!ended) leave()
    left()
  }
}
