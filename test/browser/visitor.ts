// What a page does with the client. It runs in the browser, and its tests beside the gateway.
import { client, TroupeError, type Client, type Conversation } from 'troupe/client'
import { Counter } from '../gateway/protocols.js'

type Specs = (typeof Counter)['specs']
export interface Told {
  readonly isTroupeError: boolean
  readonly code?: string
  readonly hint?: string
  readonly details?: unknown
}

const at = (url: string, key?: string): Client<Specs> => client(Counter, `${url}/actors/counter`, { ...(key !== undefined && { key }) })

async function outcomeOf(call: Promise<unknown>): Promise<Told> {
  try {
    await call
  } catch (error) {
    if (error instanceof TroupeError) return { isTroupeError: true, code: error.code, hint: error.hint, details: error.details }
    return { isTroupeError: false, hint: String(error) }
  }
  throw new Error('it was not refused')
}

export async function addsAndNotes(url: string, key?: string): Promise<{ readonly sum: number; readonly notes: readonly string[] }> {
  const counter = at(url, key)
  const sum = await counter.ask({ type: 'add', a: 1, b: 2 })
  await counter.tell({ type: 'note', text: 'from a page' })
  return { sum, notes: await counter.ask({ type: 'notes' }) }
}

export const isRefused = (url: string, message: object): Promise<Told> => outcomeOf(at(url).ask(message as never))
export const isKeptFromNoting = (url: string): Promise<Told> => outcomeOf(at(url).tell({ type: 'note', text: 'from elsewhere' }))
export const isKeptFromTalking = (url: string): Promise<Told> => outcomeOf(at(url).converse())

export async function counts(url: string, to: number, size: number): Promise<number[]> {
  const numbers: number[] = []
  for await (const { n } of at(url).stream({ type: 'count', to, size })) numbers.push(n)
  return numbers
}

/** With less patience than usual. */
export async function countsImpatiently(url: string): Promise<number[]> {
  const numbers: number[] = []
  for await (const { n } of client(Counter, url, { idle: '2s' }).stream({ type: 'count', to: 2 })) numbers.push(n)
  return numbers
}

export async function countsUntil(url: string, last: number): Promise<number> {
  for await (const { n } of at(url).stream({ type: 'count', to: 1e9, size: 10_000 })) if (n === last) return n
  throw new Error('it ended before')
}

let waiting: { readonly stop: AbortController; readonly outcome: Promise<Told> }
export function beginsToWait(url: string): void {
  const stop = new AbortController()
  waiting = { stop, outcome: outcomeOf(at(url).ask({ type: 'wait' }, { signal: stop.signal })) }
}
export function callsOff(): Promise<Told> {
  waiting.stop.abort()
  return waiting.outcome
}

let talk: Conversation<Specs>
let chunks: AsyncGenerator<{ readonly n: number }, undefined>
export async function talks(url: string, key?: string): Promise<readonly [number, number]> {
  talk = await at(url, key).converse()
  return Promise.all([talk.ask({ type: 'add', a: 1, b: 2 }), talk.ask({ type: 'add', a: 3, b: 4 })])
}
export async function readsOne(): Promise<number> {
  chunks = talk.stream({ type: 'count', to: 1e9 })
  const first = await chunks.next()
  // Answers that come later show that what the stream may send has come.
  for (let n = 0; n < 2; n++) await talk.ask({ type: 'add', a: 1, b: 1 })
  return first.value?.n ?? 0
}
export async function readsOn(upTo: number): Promise<number> {
  for (;;) {
    const { value } = await chunks.next()
    if (value === undefined || value.n >= upTo) return value?.n ?? 0
  }
}
export async function stopsReading(): Promise<void> {
  await chunks.return(undefined)
  talk.close()
}

interface Source {
  addEventListener(type: string, take: (event: { readonly data?: string }) => void): void
  close(): void
}
declare const EventSource: new (url: string) => Source
/** By the browser's own means alone. */
export function listens(url: string, to: number, size: number): Promise<number[]> {
  const message = JSON.stringify({ type: 'count', to, size })
  const source = new EventSource(`${url}/actors/counter?message=${encodeURIComponent(message)}`)
  const numbers: number[] = []
  return new Promise((resolve) => {
    source.addEventListener('message', ({ data = '{}' }) => void numbers.push((JSON.parse(data) as { n: number }).n))
    source.addEventListener('end', () => {
      source.close()
      resolve(numbers)
    })
  })
}
