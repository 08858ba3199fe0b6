/**
 * Many messages over one WebSocket, in JSON: `{ id, message, timeout? }` asks, tells or opens a stream; `{ id, credit }`
 * lets so many more chunks of a stream come; `{ id, cancel: true }` calls it off. Answers: `{ id, reply }`,
 * `{ id, accepted: true }`, `{ id, chunk }`, `{ id, end: true }`, `{ id, error }`.
 *
 * Owns: what is under way in one conversation, and how far each of its streams may go.
 *
 * Invariant: a stream sends a chunk only with credit from its reader and room in the socket. Both hold back its producer.
 */
import { TroupeError, asTroupeError } from '../../ground/errors.js'
import type { Message, Ref } from '../../runtime/index.js'
import { heed } from '../../runtime/heed.js'
import type { Call, House } from './face.js'
import { parseJson, toJson } from './json.js'
import { CONVERSATION_MAX, CREDIT_FIRST, CREDIT_MAX } from './limits.js'
import { addressed, timeoutOf } from './message.js'
import type { Socket } from './socket.js'
import { problemOf, refusal } from './statuses.js'

interface Frame {
  readonly id: number
  readonly message?: unknown
  readonly timeout?: unknown
  readonly credit?: number
  readonly cancel?: boolean
}

/** Resolves when the socket has closed and all that was under way has ended. */
export function converse(house: House, call: Call, socket: Socket): Promise<void> {
  const address = call.rest
  const ref = house.troupe.ref(house.shop.protocol(address), address, { from: house.from })
  return new Promise((resolve) => {
    const conversation = new Conversation(house, call, socket, ref, resolve)
    socket.onText((text) => conversation.take(text))
    socket.onClose(() => conversation.close())
    heed(call.signal, () => conversation.callOff())
    socket.onLeave(() => conversation.leave())
    if (!socket.open) conversation.close()
  })
}

class Conversation {
  readonly #house: House
  readonly #call: Call
  readonly #socket: Socket
  readonly #ref: Ref
  readonly #onEnd: () => void
  readonly #underWay = new Map<number, Turn>()
  #phase: 'open' | 'leaving' | 'closed' = 'open'

  constructor(house: House, call: Call, socket: Socket, ref: Ref, onEnd: () => void) {
    this.#house = house
    this.#call = call
    this.#socket = socket
    this.#ref = ref
    this.#onEnd = onEnd
  }

  take(text: string): void {
    let id = 0
    try {
      const frame = frameOf(parseJson(text))
      id = frame.id
      if (frame.cancel === true) this.#underWay.get(id)?.abort.abort()
      else if (frame.credit !== undefined) this.#underWay.get(id)?.credit(frame.credit)
      else this.#begin(frame)
    } catch (error) {
      void this.#tell(id, { error: problemOf(asTroupeError(error)) })
    }
  }

  leave(): void {
    this.#phase = 'leaving'
    this.#rest()
  }

  close(): void {
    this.#phase = 'closed'
    this.callOff()
    this.#rest()
  }

  callOff(): void {
    for (const turn of this.#underWay.values()) turn.abort.abort(this.#call.signal.reason)
  }

  #rest(): void {
    if (this.#underWay.size > 0 || this.#phase === 'open') return
    if (this.#phase === 'leaving') this.#socket.close(1001, 'the gateway is stopping')
    this.#onEnd()
  }

  #begin(frame: Frame): void {
    const { id } = frame
    if (this.#phase !== 'open') throw new TroupeError('Cancelled', 'the gateway is stopping', 'connect again to another one', { reason: 'shutting-down' })
    if (this.#underWay.has(id)) throw new TroupeError('InvalidMessage', `${id} is under way`, 'give each message an id of its own')
    if (this.#underWay.size >= CONVERSATION_MAX) throw new TroupeError('Overloaded', `${CONVERSATION_MAX} messages are under way in this conversation`, 'wait for an answer first', { retryAfterMs: 0 })
    const { caller } = this.#call
    // A connection may outlive what let it in.
    if (caller.until !== undefined && this.#house.clock.now() >= caller.until) throw refusal(401, 'Unauthorized', 'the token has expired', 'connect again with a new one')
    const metered = this.#house.meter(caller)
    if (metered !== undefined) throw metered
    const { address, protocol } = this.#ref
    const { message, kind } = addressed(protocol, address, frame.message, (type) => this.#call.allow(address, type))
    const timeout = timeoutOf(frame.timeout, this.#house.timeoutMaxMs)
    const ended = this.#house.begin(caller)
    if (ended instanceof TroupeError) throw ended
    const turn = new Turn(ended)
    this.#underWay.set(id, turn)
    void this.#run(id, turn, kind, message, timeout)
  }

  async #run(id: number, turn: Turn, kind: 'event' | 'request' | 'stream', message: Message, timeout: number | undefined): Promise<void> {
    const how = { signal: turn.abort.signal, ...(timeout !== undefined && { timeout }) }
    try {
      switch (kind) {
        case 'event':
          await this.#ref.tell(message as never, { signal: how.signal })
          await this.#tell(id, { accepted: true })
          break
        case 'request':
          await this.#tell(id, { reply: (await this.#ref.ask(message as never, how)) ?? null })
          break
        case 'stream':
          for await (const chunk of this.#ref.stream(message as never, how)) {
            await this.#tell(id, { chunk })
            await turn.mayGoOn()
          }
          await this.#tell(id, { end: true })
      }
    } catch (error) {
      await this.#tell(id, { error: problemOf(asTroupeError(error)) })
    }
    this.#underWay.delete(id)
    turn.ended()
    this.#rest()
  }

  #tell(id: number, what: object): Promise<void> | undefined {
    return this.#socket.send(toJson({ id, ...what }))
  }
}

/** One message of a conversation, while it is under way. */
class Turn {
  readonly abort = new AbortController()
  #credit = CREDIT_FIRST
  #onCredit: (() => void) | undefined
  readonly ended: () => void

  constructor(ended: () => void) {
    this.ended = ended
  }

  credit(more: number): void {
    this.#credit = Math.min(CREDIT_MAX, this.#credit + more)
    this.#onCredit?.()
  }

  /** A chunk was sent: resolves when the next one may be. */
  mayGoOn(): Promise<void> | undefined {
    this.#credit--
    if (this.#credit > 0 || this.abort.signal.aborted) return undefined
    return new Promise((resolve) => {
      const goOn = (): void => {
        this.#onCredit = undefined
        heedless()
        resolve()
      }
      const heedless = heed(this.abort.signal, goOn)
      this.#onCredit = goOn
    })
  }
}

function frameOf(value: unknown): Frame {
  const { id, credit, cancel } = (typeof value === 'object' && value !== null ? value : {}) as { id?: unknown; credit?: unknown; cancel?: unknown }
  const isCredit = credit === undefined || (Number.isSafeInteger(credit) && (credit as number) > 0)
  if (Number.isSafeInteger(id) && (id as number) > 0 && isCredit && (cancel === undefined || cancel === true)) return value as Frame
  throw new TroupeError('InvalidMessage', 'this is no frame of a conversation', "send { id, message }, { id, credit } or { id, cancel: true } with an id from 1")
}
