/**
 * Reads server-sent events as chunks, and takes a connection up where it broke, or where it fell silent.
 *
 * Invariants:
 * S1. A chunk is handed over once: its id is remembered when its reader comes for the next one, and is asked for after.
 * S2. Tries in a row are bounded, and only a new chunk begins another row.
 */
import type { Clock } from '../ground/clock.js'
import { TroupeError } from '../ground/errors.js'
import { piecesOf } from './body.js'
import { ANSWER_CHARS_MAX, GRACE_MS, RECONNECT_FIRST_MS, RECONNECT_LONGEST_MS } from './limits.js'
import { toJson } from './over-json.js'
import { fromProblem, fromResponse, parse, silent, unreachable } from './problems.js'
import { timeLimit } from './time-limit.js'

export interface Opening {
  readonly url: string
  readonly send: typeof fetch
  readonly clock: Clock
  readonly reconnects: number
  readonly idleMs: number
  readonly message: () => object
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal | undefined
}

/** No event of the gateway's: what to go on after when none has come yet. */
const OPENED = '(opened)'

interface Event {
  readonly event: string
  readonly id: string
  readonly data: string
}

export async function* readStream(opening: Opening): AsyncGenerator<unknown, undefined> {
  const { url, clock, reconnects, signal } = opening
  const leave = new AbortController()
  const onAbort = (): void => leave.abort()
  if (signal?.aborted === true) onAbort()
  signal?.addEventListener('abort', onAbort)
  let last = ''
  let over = false
  try {
    for (let broken = 0; ; ) {
      try {
        for await (const { event, id, data } of connected(opening, last, leave.signal)) {
          if (event === OPENED) {
            last = id
            continue
          }
          over = event === 'end' || event === 'error'
          if (event === 'end') return
          const chunk = parse(data)
          if (event === 'error') throw fromProblem(chunk)
          if (id !== '' && id === last) continue // S1, S2
          broken = 0
          yield chunk
          if (id !== '') last = id
        }
        throw new TroupeError('Interrupted', `${url} broke off`, 'open the stream again')
      } catch (error) {
        const told = unreachable(error, url, signal)
        over ||= told.code === 'Gone'
        if (over || last === '' || broken >= reconnects || !mayPass(told)) throw told
        await pause(clock, waitBefore(broken++, told, clock), leave.signal)
      }
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    leave.abort()
    // The gateway would wait a minute for us to come back.
    if (!over && last !== '') void callOff(opening, last)
  }
}

/** A connection that breaks, or a gateway that has no room, may do better the next time; the rest is said for good. */
const mayPass = ({ code }: TroupeError): boolean => code === 'Interrupted' || code === 'Overloaded'

/** Twice as long each time, and not for all readers at the same moment; or as long as the gateway wants. */
function waitBefore(tries: number, { details: { retryAfterMs } }: TroupeError, clock: Clock): number {
  const ms = RECONNECT_FIRST_MS * 2 ** tries * (0.5 + clock.random() / 2)
  return Math.min(RECONNECT_LONGEST_MS, typeof retryAfterMs === 'number' ? Math.max(ms, retryAfterMs) : ms)
}

/** One connection, from the event after `last` on. */
async function* connected({ url, send, clock, idleMs, message, headers }: Opening, last: string, leave: AbortSignal): AsyncGenerator<Event> {
  const line = new AbortController()
  const heard = <T>(coming: Promise<T>): Promise<T> => unlessSilent(coming, clock, idleMs, () => line.abort(), url)
  const signal = AbortSignal.any([leave, line.signal])
  const response = await heard(send(url, { method: 'POST', headers: { ...headers, accept: 'text/event-stream', 'troupe-resumable': 'yes', ...(last !== '' && { 'last-event-id': last }) }, body: toJson(message()), signal }))
  if (!response.ok) throw await heard(fromResponse(response))
  const start = response.headers.get('troupe-stream')
  if (last === '' && start !== null) yield { event: OPENED, id: start, data: '' }
  const pieces = piecesOf(response)
  let text = ''
  try {
    for (;;) {
      const { done, value } = await heard(pieces.next())
      if (done === true) return
      text += value
      if (text.length > ANSWER_CHARS_MAX) throw new TroupeError('InvalidMessage', `an event of ${url} has more than ${ANSWER_CHARS_MAX} characters`, 'let the actor send smaller chunks')
      let start = 0
      for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n', start)) {
        const event = eventOf(text.slice(start, end))
        start = end + 2
        if (event !== undefined) yield event
      }
      text = text.slice(start)
    }
  } finally {
    // Not waited for: where nothing comes any more, its end does not come either.
    line.abort()
    void pieces.return(undefined).catch(() => {})
  }
}

/** What comes, unless nothing does for too long. The time that a reader takes over a chunk does not count. */
function unlessSilent<T>(coming: Promise<T>, clock: Clock, ms: number, giveUp: () => void, url: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.timer(ms, () => {
      reject(silent(url, ms))
      giveUp()
    })
    coming.then(resolve, reject).finally(() => timer.cancel())
  })
}

function eventOf(text: string): Event | undefined {
  const fields = { event: '', id: '', data: '' }
  let isEvent = false
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon)
    if (name !== 'event' && name !== 'id' && name !== 'data') continue
    isEvent = true
    fields[name] += line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1))
  }
  return isEvent ? fields : undefined
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', over)
      resolve()
    }
    const timer = clock.timer(ms, over)
    signal.addEventListener('abort', over)
    if (signal.aborted) over()
  })
}

async function callOff({ url, send, clock, headers }: Opening, last: string): Promise<void> {
  const { 'content-type': _, ...rest } = headers
  const limit = timeLimit(clock, GRACE_MS, undefined)
  try {
    const response = await send(url, { method: 'DELETE', headers: { ...rest, 'last-event-id': last }, signal: limit.signal })
    await response.body?.cancel()
  } catch {
    // It ends by itself, a minute later.
  } finally {
    limit.lift()
  }
}
