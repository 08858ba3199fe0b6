/**
 * The same actors inside other people's services.
 *
 *   node dist-examples/in-services/main.js fastify [--port 3000]     also: express, nest
 *   curl -N localhost:3000/chat/ada -H 'content-type: application/json' -d '{"text":"How long do I have to return a parcel?"}'
 *   node dist-examples/in-services/main.js ai-sdk "How do I return a parcel?"
 */
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { createTroupe } from 'troupe'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { port: { type: 'string', default: '3000' } } })
const [kind = 'fastify', prompt = 'How do I return a parcel?'] = positionals
const port = Number(values.port)
const troupe = await createTroupe({ signals: true })

if (kind === 'ai-sdk') {
  const { continued } = await import('./ai-sdk.js')
  for await (const text of continued(troupe, prompt)) process.stdout.write(text)
  process.stdout.write('\n')
  await troupe.stop()
} else {
  const listening = await listen()
  console.log(`listening on http://127.0.0.1:${listening}`)
}

/** The port that was taken: with 0 the system chooses one. */
async function listen(): Promise<number> {
  switch (kind) {
    case 'fastify': {
      const { fastifyService } = await import('./fastify.js')
      const app = await fastifyService(troupe)
      await app.listen({ port, host: '127.0.0.1' })
      return (app.server.address() as AddressInfo).port
    }
    case 'express': {
      const { expressService } = await import('./express.js')
      const app = await expressService(troupe)
      return await new Promise((resolve) => {
        const server = app.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
      })
    }
    case 'nest': {
      const { nestService } = await import('./nest-service.js')
      return (await nestService(troupe, port)).port
    }
    default:
      throw new Error(`there is no service ${JSON.stringify(kind)}; try fastify, express, nest or ai-sdk`)
  }
}
