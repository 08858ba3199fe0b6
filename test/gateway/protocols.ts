// What both sides of the gateway share in its tests; a browser loads it as it is.
import { event, protocol, request, stream } from 'troupe/client'
import { z } from 'zod'

export const Counter = protocol({
  add: request(z.object({ a: z.number(), b: z.number() }), z.number()),
  note: event(z.object({ text: z.string() })),
  notes: request(null, z.array(z.string())),
  count: stream(z.object({ to: z.number(), size: z.number().optional() }), z.object({ n: z.number(), pad: z.string().optional() })),
  wait: request(null, z.null()),
  fail: request(null, z.null()),
})
export const Pet = protocol({ name: request(null, z.string()) })
