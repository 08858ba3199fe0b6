/** Reads server-sent events as chunks, and takes a broken connection up where it broke. */
import type { Clock } from '../ground/clock.js'
import { TroupeError } from '../ground/errors.js'
import { fromProblem, fromResponse, unreachable } from './problems.js'

export interface Opening {
  readonly url: string
  readonly send: typeof fetch
  readonly clock: Clock
  readonly reconnects: number
  readonly message: () => object
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal | undefined
}

interface Event {
  readonly event: string
  readonly id: string
  readonly data: string
}

const FIRST_WAIT_MS = 250
/** A line without an end would otherwise grow for ever. */
const EVENT_CHARS_MAX = 32 * 1_024 * 1_024

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
          if (event === 'end') return void (over = true)
          if (event === 'error') throw fromProblem(JSON.parse(data))
          broken = 0
          yield JSON.parse(data) as unknown
          // Only now: a chunk that was never handed over is to come again.
          if (id !== '') last = id
        }
        throw new TroupeError('Interrupted', `${url} broke off`, 'open the stream again')
      } catch (error) {
        const told = unreachable(error, url, signal)
        over = told.code !== 'Interrupted' && told.code !== 'Cancelled'
        if (told.code !== 'Interrupted' || last === '' || broken >= reconnects) throw told
        await pause(clock, FIRST_WAIT_MS * 2 ** broken++, leave.signal)
      }
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    leave.abort()
    // The gateway would wait a minute for us to come back.
    if (!over && last !== '') void callOff(opening, last)
  }
}

/** One connection, from the event after `last` on. */
async function* connected({ url, send, message, headers }: Opening, last: string, signal: AbortSignal): AsyncGenerator<Event> {
  const response = await send(url, { method: 'POST', headers: { ...headers, accept: 'text/event-stream', 'troupe-resumable': 'yes', ...(last !== '' && { 'last-event-id': last }) }, body: JSON.stringify(message()), signal })
  if (!response.ok) throw await fromResponse(response)
  if (response.body === null) return
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      text += value
      if (text.length > EVENT_CHARS_MAX) throw new TroupeError('InvalidMessage', `an event of ${url} is larger than ${EVENT_CHARS_MAX} characters`, 'let the actor send smaller chunks')
      let start = 0
      for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n', start)) {
        const event = eventOf(text.slice(start, end))
        start = end + 2
        if (event !== undefined) yield event
      }
      text = text.slice(start)
    }
  } finally {
    void reader.cancel().catch(() => {})
  }
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

async function callOff({ url, send, headers }: Opening, last: string): Promise<void> {
  const { 'content-type': _, ...rest } = headers
  await send(url, { method: 'DELETE', headers: { ...rest, 'last-event-id': last } }).then(
    (response) => response.arrayBuffer(),
    () => undefined,
  )
}
