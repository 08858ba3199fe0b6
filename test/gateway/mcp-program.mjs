// One actor as an MCP server on stdin and stdout.
import { actor, createTroupe, protocol, request } from 'troupe'
import { mcpOnStdio } from 'troupe/actors'
import { z } from 'zod'

const Greeter = protocol({ greet: request(z.object({ name: z.string() }), z.string()) })
const troupe = await createTroupe()
const ref = troupe.spawn('greeter', actor(Greeter, { on: { greet: ({ name }) => `hello ${name}` } }))
const { closed } = await mcpOnStdio({ name: 'greeter', actors: [{ ref }] })
await closed
await troupe.stop()
console.error('stopped')
