// The examples that live inside other people's services, over real sockets.
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { createTroupe, type Troupe } from 'troupe'
import { continued } from '../../examples/in-services/ai-sdk.js'
import { expressService } from '../../examples/in-services/express.js'
import { fastifyService } from '../../examples/in-services/fastify.js'
import { nestService } from '../../examples/in-services/nest-service.js'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function fastify(troupe: Troupe): Promise<number> {
  const app = await fastifyService(troupe)
  await app.listen({ port: 0, host: '127.0.0.1' })
  closing.push(() => app.close())
  return (app.server.address() as AddressInfo).port
}

async function express(troupe: Troupe): Promise<number> {
  const app = await expressService(troupe)
  const server = await new Promise<Server>((resolve) => {
    const listening = app.listen(0, '127.0.0.1', () => resolve(listening))
  })
  closing.push(() => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())), () => troupe.stop())
  return (server.address() as AddressInfo).port
}

async function nest(troupe: Troupe): Promise<number> {
  const app = await nestService(troupe, 0)
  closing.push(() => app.close())
  return app.port
}

const say = (port: number, body: unknown, conversation = 'ada'): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}/chat/${conversation}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

describe.each([['Fastify', fastify], ['Express', express], ['NestJS', nest]] as const)('a desk inside %s', (_, open) => {
  test('answers from its pages, says what is wrong with a body, and stops with the service', async () => {
    const troupe = await createTroupe()
    const port = await open(troupe)
    const answer = await say(port, { text: 'How long do I have to return a parcel?' })
    expect(answer.status).toBe(200)
    expect(await answer.text()).toContain('30 days')
    const wrong = await say(port, { words: 'hello' })
    expect([wrong.status, await wrong.json()]).toMatchObject([400, { code: 'InvalidMessage', hint: 'send { "text": "…" }' }])
    for (const close of closing.splice(0)) await close()
    await expect(say(port, { text: 'hello' })).rejects.toThrow()
  })
})

test('an actor writes for streamText', async () => {
  const troupe = await createTroupe()
  closing.push(() => troupe.stop())
  let text = ''
  for await (const part of continued(troupe, 'How do I return a parcel?')) text += part
  expect(text).not.toBe('')
})
