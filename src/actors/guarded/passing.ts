/** What `guarded` does outside its chart: has a message checked, hands it on, and has checked what comes back. */
import { stepOnce, streamOnce, TroupeError, type Protocol, type ReturnAddress, type Specs, type Whom, type Work } from '../../runtime/index.js'
import type { Direction } from '../guard/finding.js'
import { refusal } from '../guard/policy.js'
import type { Guard } from '../guard/protocol.js'
import { answering, type Effect, type Settled } from '../settled.js'
import { sentenceSpans } from '../words.js'
import { itemOf, textsIn, withoutItems, withTexts, type Placed } from './texts.js'

/** A message as it came, without where it came from. */
export type Given = { readonly type: string } & Readonly<Record<string, unknown>>
interface Passing {
  readonly message: Given
  /** The key of the actor in front, or `''`. */
  readonly key: string
  readonly conversation: string
}
export interface PassInput extends Passing {
  readonly to: ReturnAddress
}
export interface StreamInput extends Passing {
  readonly into: ReturnAddress
}
/** An event that may go on, or why it may not. */
export type Admitted = { readonly ok: true; readonly message: Given } | { readonly ok: false; readonly error: TroupeError }
export interface GuardedWork {
  readonly admit: Effect<Admitted, PassInput>
  readonly ask: Effect<Settled<{}>, PassInput>
  readonly stream: Effect<undefined, StreamInput>
}

export interface Settings {
  readonly guard: Whom<(typeof Guard)['specs']>
  readonly target: (key: string) => Whom
  readonly asks: Direction | 'unchecked'
  readonly answers: Direction | 'unchecked'
  readonly restore: boolean
  /** How much of a stream's text is held back, so that nothing is cut in two. */
  readonly hold: 'sentence' | 'whole'
  readonly except: ReadonlySet<string>
  readonly timeout: number | 'none'
}

export const guardedWork = (settings: Settings): GuardedWork => ({
  admit: stepOnce('admit', async ({ message, conversation }: PassInput, work): Promise<Admitted> => {
    try {
      return { ok: true, message: await checked(message, settings.asks, { what: message.type, conversation, ...settings }, work) }
    } catch (error) {
      if (error instanceof TroupeError) return { ok: false, error }
      throw error
    }
  }),
  ask: answering('ask', async ({ message, key, conversation }: PassInput, work): Promise<{}> => {
    const safe = await checked(message, settings.asks, { what: message.type, conversation, ...settings }, work)
    const reply = await work.ask(settings.target(key), safe as never, { timeout: settings.timeout })
    return (await checked(reply, settings.answers, { what: `the answer to ${message.type}`, conversation, ...settings }, work)) as {}
  }),
  stream: streamOnce('stream', (input: StreamInput, work) => stream(input, settings, work)),
})

interface Checking extends Pick<Settings, 'guard' | 'restore' | 'except'> {
  /** What a refusal calls it. */
  readonly what: string
  readonly conversation: string
}

/** A value as the guard lets it through; throws `Refused` when it does not. */
async function checked<T>(value: T, direction: Direction | 'unchecked', { what, guard, conversation, restore, except }: Checking, work: Work): Promise<T> {
  if (direction === 'unchecked') return value
  const placed = textsIn(value, except)
  if (placed === undefined) throw new TroupeError('Refused', `${what} was refused: it is nested too deeply to be looked through`, 'send flatter values', { reasons: [] })
  const safe: Placed[] = []
  const left: Placed['path'][] = []
  for (const { path, text } of placed) {
    const verdict = await work.ask(guard, { type: 'check', text, direction, conversation })
    const item = direction === 'passage' ? itemOf(path) : undefined
    if (verdict.verdict === 'refuse' && item === undefined) throw refusal(what, verdict.reasons)
    if (verdict.verdict === 'refuse') left.push(item as Placed['path'])
    else if (restore && direction === 'output') safe.push({ path, text: (await work.ask(guard, { type: 'unmask', text: verdict.text, conversation, origin: 'input' })).text })
    else if (verdict.text !== text) safe.push({ path, text: verdict.text })
  }
  return withoutItems(withTexts(value, safe), left) as T
}

/** A chunk that is a piece of running text, as most streams of text have them. */
interface TextChunk {
  readonly text: string
  /** The chunk with another text. */
  readonly saying: (text: string) => unknown
}
function textChunk(chunk: unknown): TextChunk | undefined {
  if (typeof chunk === 'string') return { text: chunk, saying: (text) => text }
  const { kind, text } = (chunk ?? {}) as { kind?: unknown; text?: unknown }
  return kind === 'text' && typeof text === 'string' ? { text, saying: (other) => ({ ...(chunk as object), text: other }) } : undefined
}

async function* stream({ message, key, conversation }: StreamInput, settings: Settings, work: Work): AsyncGenerator<unknown, undefined> {
  const safe = await checked(message, settings.asks, { what: message.type, conversation, ...settings }, work)
  const answer: Checking = { what: `the answer to ${message.type}`, conversation, ...settings }
  let held = ''
  let saying: TextChunk['saying'] | undefined
  const release = async (text: string): Promise<unknown> => checked(saying?.(text), settings.answers, answer, work)
  for await (const chunk of work.stream(settings.target(key), safe as never) as AsyncIterable<unknown>) {
    const piece = settings.answers === 'unchecked' ? undefined : textChunk(chunk)
    if (piece !== undefined) {
      held += piece.text
      saying = piece.saying
      const ready = settings.hold === 'whole' ? 0 : lastSentence(held)
      if (ready === 0) continue
      yield await release(held.slice(0, ready))
      held = held.slice(ready)
      continue
    }
    if (held !== '') yield await release(held)
    held = ''
    yield await checked(chunk, settings.answers, answer, work)
  }
  if (held !== '') yield await release(held)
  return undefined
}

/** Where the last sentence begins, which may go on. */
const lastSentence = (text: string): number => sentenceSpans(text).at(-1)?.start ?? 0

/** The protocol with its types forgotten: which message is what does not matter here, only its kind. */
export const kindsOf = (protocol: Protocol): (readonly [string, Specs[string]['kind']])[] => Object.entries(protocol.specs).map(([type, { kind }]) => [type, kind])
