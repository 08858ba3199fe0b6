/** One reply of the desk as a stream that any web framework sends. */
import { Readable } from 'node:stream'
import { TroupeError, type Ref } from 'troupe'
import type { Dialogue } from 'troupe/actors'

/** Resolves once the first words are there, so that what fails before them can still be a status. Destroying it calls the work off. */
export async function reply(conversation: Ref<(typeof Dialogue)['specs']>, text: unknown): Promise<Readable> {
  if (typeof text !== 'string') throw new TroupeError('InvalidMessage', 'the body has no text', 'send { "text": "…" }')
  const words = spoken(conversation, text)
  const first = await words.next()
  return Readable.from(from(first, words))
}

async function* spoken(conversation: Ref<(typeof Dialogue)['specs']>, text: string): AsyncGenerator<string, void> {
  for await (const chunk of conversation.stream({ type: 'say', text })) if (chunk.kind === 'text') yield chunk.text
}

async function* from(first: IteratorResult<string, void>, rest: AsyncGenerator<string, void>): AsyncGenerator<string, void> {
  try {
    if (first.done !== true) yield first.value
    yield* rest
  } finally {
    await rest.return()
  }
}

/** What an error is to a caller by HTTP: its own words, and no stack. */
export function problem(thrown: unknown): { readonly status: number; readonly body: { readonly code: string; readonly message: string; readonly hint?: string } } {
  if (!(thrown instanceof TroupeError)) return { status: 500, body: { code: 'Unknown', message: 'something went wrong here' } }
  const { code, message, hint } = thrown
  return { status: code === 'InvalidMessage' ? 400 : code === 'Overloaded' ? 503 : 500, body: { code, message, hint } }
}
