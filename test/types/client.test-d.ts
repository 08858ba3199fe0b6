// The client, as the compiler sees it: from the protocol to what arrives, with nothing written down between.
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import { Dialogue, Nlu, type DialogueChunk } from 'troupe/actors'
import { client, event, protocol, request, stream, type Client, type Conversation, type Schema } from 'troupe/client'

interface Row {
  readonly id: string
  readonly tags: readonly ('new' | 'sold')[]
  readonly note?: string
  readonly parent: Row | null
}
declare function schema<T>(): Schema<T>

const Shop = protocol({
  add: request(z.object({ a: z.number(), b: z.number() }), z.number()),
  find: request(z.object({ id: z.string(), deep: z.boolean().optional() }), schema<Row>()),
  pair: request(null, schema<readonly [number, Row | undefined]>()),
  kept: request(null, schema<{ bytes: Uint8Array; vector: Float32Array; at: Date; big: bigint; seen: Set<string>; rows: Map<string, Row> }>()),
  forget: request(null, schema<undefined>()),
  whatever: request(null, schema<unknown>()),
  upload: request(schema<{ name: string; bytes: Uint8Array }>(), z.null()),
  show: request(schema<{ image: Uint8Array | { ref: string } }>(), z.null()),
  changed: event(z.object({ id: z.string() })),
  reset: event(),
  watch: stream(z.object({ id: z.string() }), schema<{ kind: 'text'; text: string } | { kind: 'done'; score?: number }>()),
  ticks: stream(null, z.number()),
})
declare const shop: Client<(typeof Shop)['specs']>
declare const talk: Conversation<(typeof Shop)['specs']>
expectTypeOf(client(Shop, 'http://localhost/actors/shop')).toEqualTypeOf(shop)
expectTypeOf(shop.converse()).resolves.toEqualTypeOf(talk)

// A reply is what its protocol says, over HTTP and over a conversation.
expectTypeOf(shop.ask({ type: 'add', a: 1, b: 2 })).resolves.toEqualTypeOf<number>()
expectTypeOf(talk.ask({ type: 'add', a: 1, b: 2 })).resolves.toEqualTypeOf<number>()
expectTypeOf(shop.ask({ type: 'find', id: 'a' })).resolves.toEqualTypeOf<Row>()
expectTypeOf(shop.ask({ type: 'find', id: 'a', deep: true }, { timeout: '2s' })).resolves.toEqualTypeOf<Row>()
expectTypeOf(shop.ask({ type: 'whatever' })).resolves.toBeUnknown()
expectTypeOf(shop.tell({ type: 'changed', id: 'a' })).resolves.toBeVoid()
expectTypeOf(talk.tell({ type: 'reset' })).resolves.toBeVoid()

// So are the chunks of a stream.
expectTypeOf(shop.stream({ type: 'ticks' })).toEqualTypeOf<AsyncIterableIterator<number>>()
expectTypeOf(talk.stream({ type: 'ticks' }).next()).resolves.toEqualTypeOf<IteratorResult<number, undefined>>()
export async function texts(): Promise<string> {
  let text = ''
  for await (const chunk of shop.stream({ type: 'watch', id: 'a' })) {
    if (chunk.kind === 'text') text += chunk.text
    else expectTypeOf(chunk).toEqualTypeOf<{ kind: 'done'; score?: number }>()
  }
  return text
}

// What JSON has no word for arrives as something else, and the compiler says as what.
expectTypeOf(shop.ask({ type: 'kept' })).resolves.toEqualTypeOf<{ bytes: string; vector: number[]; at: string; big: string; seen: string[]; rows: Record<string, Row> }>()
expectTypeOf(shop.ask({ type: 'forget' })).resolves.toBeNull()
expectTypeOf(shop.ask({ type: 'pair' })).resolves.toEqualTypeOf<readonly [number, Row | undefined]>()
expectTypeOf(shop.ask({ type: 'show', image: { ref: 'a' } })).resolves.toBeNull()
// @ts-expect-error bytes do not get through
void shop.ask({ type: 'show', image: new Uint8Array(1) })
// @ts-expect-error nor do they as one of several fields
void shop.ask({ type: 'upload', name: 'a', bytes: new Uint8Array(1) })

// @ts-expect-error the reply is a number
export const wrongReply: Promise<string> = shop.ask({ type: 'add', a: 1, b: 2 })
// @ts-expect-error no such message
void shop.ask({ type: 'ad', a: 1, b: 2 })
// @ts-expect-error a field is missing
void talk.ask({ type: 'add', a: 1 })
// @ts-expect-error a field has the wrong type
void shop.ask({ type: 'add', a: 1, b: '2' })
// @ts-expect-error a field too many
void shop.ask({ type: 'add', a: 1, b: 2, c: 3 })
// @ts-expect-error events are told
void shop.ask({ type: 'changed', id: 'a' })
// @ts-expect-error requests are asked
void talk.tell({ type: 'add', a: 1, b: 2 })
// @ts-expect-error streams are streamed
void shop.ask({ type: 'ticks' })
// @ts-expect-error requests have one answer
shop.stream({ type: 'add', a: 1, b: 2 })
// @ts-expect-error a timeout has a unit
void shop.ask({ type: 'add', a: 1, b: 2 }, { timeout: 'soon' })

// Actors that come with the package are reached in the same way.
const desk = client(Dialogue, 'http://localhost/actors/dialogue/ada')
expectTypeOf(desk.stream({ type: 'say', text: 'Hi' })).toEqualTypeOf<AsyncIterableIterator<DialogueChunk>>()
expectTypeOf(client(Nlu, 'http://localhost/actors/nlu').ask({ type: 'save' })).resolves.toEqualTypeOf<{ readonly bytes: string }>()
