// The gateway beside a bare fastify route with the same JSON work, 1,000 event streams held, and requests that are none.
// node bench/gateway.mjs [--quick]
import { fork } from 'node:child_process'
import { connect } from 'node:net'
import { request } from 'node:http'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'
import { compare, header } from './side-by-side.mjs'

const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 3 : 5
const SECONDS = quick ? 2 : 3
const STREAMS = 1_000
const FUZZED = quick ? 10_000 : 100_000

/** Starts a server of its own process, so that nothing but HTTP is shared. */
const start = (kind) =>
  new Promise((resolve) => {
    const child = fork(fileURLToPath(new URL('./gateway-servers.mjs', import.meta.url)), [kind], { execArgv: ['--expose-gc'] })
    child.once('message', ({ port }) => resolve({ child, port, url: `http://127.0.0.1:${port}/actors/desk` }))
  })
const ask = (server, what) =>
  new Promise((resolve) => {
    server.child.once('message', resolve)
    server.child.send(what)
  })

/** Requests a second, and requests a second of processor time: on a machine that others use, only that tells what one costs. */
async function rate(server, seconds, headers = {}) {
  const { url } = server
  const before = await ask(server, 'spent')
  const { requests, non2xx, errors, duration } = await autocannon({ url, connections: 32, duration: seconds, method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ type: 'add', a: 1, b: 2, note: 'the same work on both sides' }) })
  if (non2xx + errors > 0) throw new Error(`${non2xx} refused, ${errors} failed`)
  const after = await ask(server, 'spent')
  return { rate: requests.total / duration, lean: requests.total / ((after.cpu - before.cpu) / 1e6) }
}

async function throughput(servers) {
  const cases = { 'gateway': (seconds) => rate(servers.gateway, seconds), 'gateway with a key': (seconds) => rate(servers.keyed, seconds, { authorization: `Bearer ${'k'.repeat(32)}` }), 'bare fastify route': (seconds) => rate(servers.bare, seconds) }
  const rates = Object.fromEntries(Object.keys(cases).flatMap((name) => [name, `${name}, of processor time`]).map((name) => [name, []]))
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, run] of round % 2 === 0 ? Object.entries(cases) : Object.entries(cases).reverse()) {
      const measured = await run(round < 0 ? 3 * SECONDS : SECONDS)
      if (round < 0) continue
      rates[name].push(measured.rate)
      rates[`${name}, of processor time`].push(measured.lean)
    }
  }
  return compare(rates, [['gateway', 'bare fastify route', 0.8], ['gateway with a key', 'bare fastify route'], ['gateway, of processor time', 'bare fastify route, of processor time'], ['gateway with a key, of processor time', 'bare fastify route, of processor time']])
}

/** Opens streams that tick, and looks at the memory of the server while they do. */
async function streams(server) {
  let events = 0
  const open = () =>
    new Promise((resolve, reject) => {
      const sent = request(server.url, { method: 'POST', agent: false, headers: { 'content-type': 'application/json' } }, (response) => {
        response.on('data', (bytes) => (events += bytes.toString().split('\n\n').length - 1))
        response.on('error', () => {})
        resolve(sent)
      })
      sent.on('error', reject)
      sent.end(JSON.stringify({ type: 'tick' }))
    })
  const before = await ask(server, 'look')
  const held = []
  while (held.length < STREAMS) held.push(...(await Promise.all(Array.from({ length: 50 }, open))))
  const after = []
  for (let look = 0; look < (quick ? 3 : 14); look++) {
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    after.push(await ask(server, 'look'))
  }
  const [first, last] = [after[1], after.at(-1)]
  for (const sent of held) sent.on('error', () => {}).destroy()
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  const left = await ask(server, 'look')
  const mb = (bytes) => (bytes / 2 ** 20).toFixed(1)
  const growth = (last.heap - first.heap) / first.heap
  console.log(`\n${STREAMS} streams held, ${last.streams} at the last look, ${events} events read; heap ${mb(before.heap)} → ${mb(first.heap)} → ${mb(last.heap)} MB (${(growth * 100).toFixed(1)} % over ${(after.length - 2) * 3} s, bar 10 %), ${((first.heap - before.heap) / STREAMS / 1024).toFixed(1)} kB each; rss ${mb(last.rss)} MB; ${left.streams} open after they left`)
  return growth < 0.1 && last.streams === STREAMS && left.streams === 0
}

/** Chance from a seed. */
function chance(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function fuzzer(seed) {
  const random = chance(seed)
  const one = (...of) => of[Math.floor(random() * of.length)]
  const bytes = (n) => Array.from({ length: Math.floor(random() * n) }, () => String.fromCharCode(Math.floor(random() * 256))).join('')
  const path = () => one('/actors/desk', '/actors/desk', `/actors/${encodeURIComponent(bytes(20))}`, '/actors/%zz', '/actors/../etc', '/metrics', '/openapi.json', '/', '*', bytes(30), '/actors/desk?message=%7B', `/actors/desk?message=${encodeURIComponent('{"type":"count","to":3}')}`)
  const value = (depth = 0) => (depth > 3 ? null : one(() => random() * 1e9, () => bytes(20), () => null, () => [value(depth + 1)], () => ({ [one('a', 'b', 'type', 'from', 'toString')]: value(depth + 1) }))())
  const body = () => one(() => JSON.stringify({ type: one('add', 'note', 'count', 'constructor', '', 'xstate.stop'), a: value(), b: value(), to: one(1, 3, 'x') }), () => JSON.stringify(value()), () => bytes(200), () => '['.repeat(2_000), () => '{"__proto__":{"type":"add"},"type":"add","a":1,"b":1}')()
  const header = () => `${one('last-event-id', 'troupe-timeout', 'authorization', 'origin', 'content-encoding', 'transfer-encoding', 'expect', 'upgrade', 'connection', 'content-type', 'content-length', bytes(6))}: ${one('', '1.2.x', '1ms', 'Bearer x', 'chunked', 'gzip', 'websocket', '-1', 'application/json', bytes(40))}`
  return () => {
    const text = body()
    const lines = [`${one('POST', 'POST', 'POST', 'GET', 'DELETE', 'PUT', 'OPTIONS', 'BREW', bytes(5))} ${path()} HTTP/1.1`, 'host: localhost', 'content-type: application/json', `content-length: ${Buffer.byteLength(text)}`, ...Array.from({ length: Math.floor(random() * 3) }, header), '', text]
    const whole = lines.join('\r\n')
    return random() < 0.1 ? whole.slice(0, random() * whole.length) : whole
  }
}

/** Many loopback addresses, since a hundred thousand connections from one would use up its ports. */
const send = (port, text, n) =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.1.${(n % 200) + 1}` })
    let answer = ''
    socket.on('data', (data) => (answer += data.toString('latin1')))
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
    socket.end(text)
  })

async function fuzz(server) {
  const make = fuzzer(20_261_122)
  const statuses = new Map()
  const faults = []
  let n = 0
  const worker = async () => {
    while (n < FUZZED) {
      const text = make()
      const answer = await send(server.port, text, n++)
      const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 'closed'
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (status >= '500' && status < '600' && !answer.includes('"Overloaded"')) faults.push([status, text.slice(0, 200), answer.slice(-200)])
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: 32 }, worker))
  const seconds = (performance.now() - began) / 1_000
  const alive = server.child.exitCode === null && (await fetch(server.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"type":"add","a":1,"b":2}' })).status === 200
  console.log(`\n${FUZZED} fuzzed requests in ${seconds.toFixed(0)} s: ${[...statuses].sort(([a], [b]) => (a < b ? -1 : 1)).map(([status, count]) => `${status} × ${count}`).join(', ')}; ${faults.length} faults of ours (bar 0), ${alive ? 'alive' : 'dead'}`)
  for (const fault of faults.slice(0, 5)) console.log(JSON.stringify(fault))
  return alive && faults.length === 0
}

header('Gateway, each server in a process of its own')
const servers = { gateway: await start('gateway'), keyed: await start('keyed'), bare: await start('bare') }
const met = [await throughput(servers), await streams(servers.gateway), await fuzz(servers.gateway)]
for (const { child } of Object.values(servers)) child.kill('SIGTERM')
if (met.includes(false)) console.log('\nbelow a bar')
process.exitCode = met.includes(false) ? 1 : 0
