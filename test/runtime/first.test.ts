import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, event, protocol, request, stream } from 'troupe'

const Greeter = protocol({
  greet: request(z.object({ name: z.string() }), z.string()),
  seen: event(z.object({ at: z.number() })),
  count: stream(z.object({ to: z.number() }), z.number()),
})
const greeter = actor(Greeter, {
  state: () => ({ greeted: 0 }),
  on: {
    greet: ({ name }, me) => {
      me.state.greeted++
      return `hello ${name}`
    },
    seen: () => {},
    count: async function* ({ to }) {
      for (let i = 1; i <= to; i++) yield i
    },
  },
})

test('an actor answers, takes events and streams', async () => {
  const troupe = await createTroupe()
  const ref = troupe.spawn('greeter', greeter)
  expect(await ref.ask({ type: 'greet', name: 'Ada' })).toBe('hello Ada')
  await ref.tell({ type: 'seen', at: 1 })
  const seen: number[] = []
  for await (const n of ref.stream({ type: 'count', to: 100 })) seen.push(n)
  expect(seen.length).toBe(100)
  await troupe.stop()
})
