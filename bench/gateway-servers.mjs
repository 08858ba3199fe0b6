// The servers of gateway.mjs, each in a process of its own: node bench/gateway-servers.mjs gateway|keyed|bare
import fastify from 'fastify'
import { actor, createTroupe, event, protocol, request, stream } from 'troupe'
import { gateway } from 'troupe/actors'
import { z } from 'zod'

const body = z.object({ a: z.number(), b: z.number(), note: z.string().optional() })
const Desk = protocol({
  add: request(body, z.object({ sum: z.number() })),
  note: event(z.object({ a: z.string() })),
  count: stream(z.object({ to: z.number() }), z.number()),
  tick: stream(null, z.object({ n: z.number() })),
})
const desk = actor(Desk, {
  concurrency: 2_000,
  on: {
    add: ({ a, b }) => ({ sum: a + b }),
    note: () => {},
    count: function* ({ to }) { for (let n = 1; n <= to; n++) yield n },
    tick: async function* (_, me) {
      for (let n = 1; ; n++) {
        yield { n }
        await me.sleep('500ms')
      }
    },
  },
})

async function bare() {
  const app = fastify()
  app.post('/actors/desk', async (message) => {
    const { a, b } = body.parse(message.body)
    return { sum: a + b }
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { port: app.server.address().port, streams: () => 0 }
}

async function served(options) {
  const troupe = await createTroupe({ check: 'boundary', log: () => {} })
  troupe.spawn('desk', desk)
  const { url, port } = await troupe.spawn('gateway', gateway(troupe, { actors: { desk: Desk }, limits: { request: '2s' }, ...options })).ask({ type: 'listening' })
  return { port, streams: async () => Number(/^troupe_gateway_streams (\d+)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1]) }
}

const kinds = {
  bare,
  gateway: () => served({}),
  keyed: () => served({ keys: [{ name: 'bench', key: 'k'.repeat(32), may: '*', rate: { perSecond: 1e9, burst: 1e9 } }] }),
}
const { port, streams } = await kinds[process.argv[2]]()
// Before the collector is called, whose work would count as that of the requests.
const spent = () => {
  const { user, system } = process.cpuUsage()
  process.send({ cpu: user + system })
}
const look = async () => {
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, rss } = process.memoryUsage()
  process.send({ heap: heapUsed, rss, streams: await streams() })
}
process.on('message', (what) => void (what === 'spent' ? spent() : look()))
process.send({ port })
process.on('SIGINT', () => process.exit(0))
