// Tells and asks beside nact, and a machine behind a mailbox beside the same machine under bare XState.
// node --expose-gc bench/messaging.mjs [--checked]
import nact from 'nact'
import { actor, createTroupe, event, protocol, reply, request } from 'troupe'
import { assign, createActor, createMachine } from 'xstate'
import { alternate, compare, header } from './side-by-side.mjs'

const check = process.argv.includes('--checked') ? 'always' : 'boundary'
const message = (i) => ({ type: 'ping', id: i, text: 'hello world', n: 42 })
const isMessage = ({ id, text, n }) => typeof id === 'number' && typeof text === 'string' && typeof n === 'number'
const schema = (holds) => ({ '~standard': { version: 1, vendor: 'bench', validate: (value) => (holds(value) ? { value } : { issues: [{ message: 'no' }] }) } })
const Pings = protocol({
  ping: event(schema(isMessage)),
  double: request(schema(({ n }) => typeof n === 'number'), schema((n) => typeof n === 'number')),
  seen: request(null, schema((n) => typeof n === 'number')),
})

const troupe = await createTroupe({ check })
let hits = 0
const handlers = troupe.spawn('handlers', actor(Pings, { on: { ping: () => void hits++, double: ({ n }) => n * 2, seen: () => hits } }))

const seen = { seen: { actions: reply(({ context }) => context.count) }, double: {} }
const count = assign({ count: ({ context }) => context.count + 1 })
const next = (target) => ({ on: { ping: { target, guard: ({ event }) => event.n > 0, actions: count }, stop: 'e' }, entry: () => {}, exit: () => {} })
const five = createMachine({ id: 'five', initial: 'a', context: { count: 0 }, on: seen, states: { a: next('b'), b: next('c'), c: next('d'), d: next('e'), e: next('a') } })
const one = createMachine({ id: 'one', context: { count: 0, sum: 0 }, on: { ...seen, ping: { actions: assign({ count: ({ context }) => context.count + 1, sum: ({ context, event }) => context.sum + event.n }) } } })
const fiveBehind = troupe.spawn('five', actor(Pings, five))
const oneBehind = troupe.spawn('one', actor(Pings, one))

/** Tells as a program does that heeds the mailbox: it awaits acceptance every `burst` tells; until all are handled. */
const tellAll = (ref, burst = 64) => async (n) => {
  const before = await ref.ask({ type: 'seen' })
  for (let i = 0; i < n; i++) {
    const accepted = ref.tell(message(i))
    if (i % burst === burst - 1) await accepted
  }
  const handled = (await ref.ask({ type: 'seen' })) - before
  if (handled !== n) throw new Error(`${handled} of ${n} handled`)
}
const sendAll = (machine) => async (n) => {
  const bare = createActor(machine).start()
  for (let i = 0; i < n; i++) bare.send(message(i))
  if (bare.getSnapshot().context.count !== n) throw new Error('lost')
}
const inFlight = (width, once) => (n) => {
  let left = n
  const asker = async () => {
    while (left-- > 0) await once()
  }
  return Promise.all(Array.from({ length: width }, asker))
}

const system = nact.start()
let told
const nactTell = nact.spawnStateless(system, (m) => m.last && told(), 'tell')
const nactAsk = nact.spawn(system, async (state = {}, { n }, { sender, self }) => (nact.dispatch(sender, n * 2, self), state), 'ask')
const dispatchAll = (n) =>
  new Promise((resolve) => {
    told = resolve
    for (let i = 0; i < n; i++) nact.dispatch(nactTell, i === n - 1 ? { ...message(i), last: true } : message(i))
  })
const ask = () => handlers.ask({ type: 'double', n: 21 })
const query = () => nact.query(nactAsk, { n: 21 }, 5_000)

header(`Messages, one thread, schemas ${check === 'always' ? 'checked on every send' : 'checked at boundaries only'}`)
const rates = await alternate({
  'tell a handler actor': { n: 200_000, run: tellAll(handlers) },
  'tell a handler actor, 512 waiting': { n: 200_000, run: tellAll(handlers, 512) },
  'nact tell': { n: 100_000, run: dispatchAll },
  'ask, one after another': { n: 50_000, run: inFlight(1, ask) },
  'nact query, one after another': { n: 50_000, run: inFlight(1, query) },
  'ask, 64 in flight': { n: 50_000, run: inFlight(64, ask) },
  'nact query, 64 in flight': { n: 50_000, run: inFlight(64, query) },
  'five-state machine behind a mailbox': { n: 100_000, run: tellAll(fiveBehind) },
  'five-state machine, 512 waiting': { n: 100_000, run: tellAll(fiveBehind, 512) },
  'five-state machine, bare XState': { n: 100_000, run: sendAll(five) },
  'one-assign machine behind a mailbox': { n: 100_000, run: tellAll(oneBehind) },
  'one-assign machine, bare XState': { n: 100_000, run: sendAll(one) },
})
const met = compare(rates, [
  ['tell a handler actor', 'nact tell', 1.6],
  ['tell a handler actor, 512 waiting', 'nact tell'],
  ['ask, one after another', 'nact query, one after another', 1.2],
  ['ask, 64 in flight', 'nact query, 64 in flight', 1.2],
  ['five-state machine behind a mailbox', 'five-state machine, bare XState', 0.8],
  ['five-state machine, 512 waiting', 'five-state machine, bare XState'],
  ['one-assign machine behind a mailbox', 'one-assign machine, bare XState'],
])
await troupe.stop()
process.exit(met ? 0 : 1)
