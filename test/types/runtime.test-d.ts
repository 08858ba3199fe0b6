// The face of the runtime, as the compiler sees it: handlers, refs and protocols.
import { z } from 'zod'
import { actor, event, protocol, request, stream, type Me, type Ref } from 'troupe'

const Greeter = protocol({
  greet: request(z.object({ name: z.string() }), z.string()),
  seen: event(z.object({ at: z.number() })),
  count: stream(z.object({ to: z.number() }), z.number()),
  total: request(null, z.number()),
  reset: event(),
})
type Specs = (typeof Greeter)['specs']
declare const ref: Ref<Specs>

// What a ref takes and gives.
export const greeting: Promise<string> = ref.ask({ type: 'greet', name: 'Ada' })
export const total: Promise<number> = ref.ask({ type: 'total' }, { timeout: '2s' })
export const told: Promise<void> = ref.tell({ type: 'seen', at: 1 })
export async function chunks(): Promise<number[]> {
  const read: number[] = []
  for await (const chunk of ref.stream({ type: 'count', to: 3 })) read.push(chunk)
  return read
}
// @ts-expect-error the reply is a string
export const wrongReply: Promise<number> = ref.ask({ type: 'greet', name: 'Ada' })
// @ts-expect-error no such message
void ref.ask({ type: 'great', name: 'Ada' })
// @ts-expect-error a field is missing
void ref.ask({ type: 'greet' })
// @ts-expect-error a field has the wrong type
void ref.ask({ type: 'greet', name: 1 })
// @ts-expect-error a field too many
void ref.ask({ type: 'greet', name: 'Ada', age: 36 })
// @ts-expect-error requests are asked
void ref.tell({ type: 'greet', name: 'Ada' })
// @ts-expect-error events are told
void ref.ask({ type: 'seen', at: 1 })
// @ts-expect-error streams are streamed
void ref.ask({ type: 'count', to: 3 })
// @ts-expect-error a timeout has a unit
void ref.ask({ type: 'total' }, { timeout: '30' })
export async function wrongChunk(): Promise<string[]> {
  const read: string[] = []
  // @ts-expect-error chunks are numbers
  for await (const chunk of ref.stream({ type: 'count', to: 3 })) read.push(chunk)
  return read
}
export const observed: { subscribe(next: (chunk: number) => void): unknown } = ref.observe({ type: 'count', to: 3 })

// What a handler is given and must give.
export const greeter = actor(Greeter, {
  state: () => ({ greeted: 0 }),
  on: {
    greet: ({ name }, me) => {
      me.state.greeted++
      // @ts-expect-error the state is inferred
      me.state.missing = 1
      // @ts-expect-error and so are the fields
      me.state.greeted = 'many'
      return `hello ${name.toUpperCase()}`
    },
    seen: ({ at }) => void at.toFixed(),
    count: function* ({ to }) {
      for (let i = 1; i <= to; i++) yield i
    },
    total: async (_, me) => me.state.greeted,
    reset: async (_, me) => {
      const last = await me.waitFor('seen', { timeout: '1s' })
      me.state = { greeted: last.at }
      me.tell(me.self, { type: 'seen', at: await me.ask(ref, { type: 'total' }) })
      // @ts-expect-error only events can be waited for
      await me.waitFor('total')
    },
  },
})

const rest = { seen: () => {}, total: () => 0, reset: () => {}, *count() {} }
// @ts-expect-error a handler is missing
export const missing = actor(Greeter, { on: { ...rest } })
// @ts-expect-error a handler too many
export const extra = actor(protocol({ reset: event() }), { on: { reset: () => {}, more: () => {} } })
// @ts-expect-error the reply must be a string
export const wrong = actor(Greeter, { on: { ...rest, greet: () => 1 } })
// @ts-expect-error chunks must be numbers
export const wrongStream = actor(Greeter, { on: { ...rest, greet: () => '', *count() { yield 'one' } } })
// @ts-expect-error a number is no state with a field
export const wrongState = actor(Greeter, { state: () => 1, on: { ...rest, greet: (_, me) => (void me.state.field, '') } })

// Handlers may be written apart, with their type.
export function greetApart(message: { readonly name: string }, me: Me<Specs, { greeted: number }>): string {
  return `${message.name} ${me.state.greeted}`
}
export const apart = actor(Greeter, { state: () => ({ greeted: 0 }), on: { ...rest, greet: greetApart } })

// A schema that changes what it checks would mean that handlers see other things with checks on and off.
// @ts-expect-error a default fills in
export const withDefault = event(z.object({ a: z.string().default('x') }))
// @ts-expect-error a coercion changes
export const coerced = event(z.object({ a: z.coerce.number() }))
// @ts-expect-error a transform changes
export const transformed = request(null, z.string().transform((text) => text.length))
