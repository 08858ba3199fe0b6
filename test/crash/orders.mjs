// Orders that are killed on their way: `node orders.mjs <folder> run <from>` places orders until it dies, `… check` finishes what is left and reports.
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { actor, createTroupe, event, protocol, request } from 'troupe'
import { lmdb } from 'troupe/lmdb'

const [folder, mode, from] = process.argv.slice(2)
const any = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }
const DESKS = 4
const GOODS = 5

// What costs money is counted outside: `paid` when it happens, `had` when the handler has its result, which is then in the journal.
const bill = join(folder, 'bill.txt')
const note = (what) => appendFileSync(bill, `${what}\n`)

/** Counts what comes twice, and what comes from one sender in another order than it was sent. */
const tally = () => ({ seen: [], last: {}, disorder: 0, twice: 0 })
function count(state, id, sender, n) {
  if (state.seen.includes(id)) state.twice++
  if ((state.last[sender] ?? 0) > n) state.disorder++
  state.seen.push(id)
  state.last[sender] = n
}

const Stock = protocol({ reserve: request(any, any), state: request(null, any) })
const stock = actor(Stock, { durable: true, state: tally, on: { reserve: ({ id, n }, me) => (count(me.state, id, me.from, n), me.state.seen.length), state: (_, { state }) => state } })
const Shipping = protocol({ ship: event(any), state: request(null, any) })
const shipping = actor(Shipping, { durable: true, state: tally, on: { ship: ({ id, n }, me) => count(me.state, id, me.from, n), state: (_, { state }) => state } })
const Desk = protocol({ place: event(any), state: request(null, any) })
const desk = actor(Desk, {
  durable: true,
  state: () => ({ done: [] }),
  on: {
    place: async ({ id, n, goods }, me) => {
      await Promise.all(goods.map((good) => me.ask(me.ref(Stock, `stock/${good}`), { type: 'reserve', id, n })))
      await me.infer('write', 'letters', { id })
      note(`had letter ${id}`)
      await me.step('charge', async () => {
        await turn()
        note(`paid charge ${id}`)
      })
      note(`had charge ${id}`)
      me.tell(me.ref(Shipping, 'shipping'), { type: 'ship', id, n })
      me.state.done.push(id)
    },
    state: (_, { state }) => state,
  },
})
const host = {
  infer: async (_task, _model, { id }) => {
    await turn()
    note(`paid letter ${id}`)
    return `Dear customer, ${id} is on its way.`
  },
}

const troupe = await createTroupe({ store: lmdb(folder), host })
const shippingRef = troupe.spawn('shipping', shipping)
const stockOf = troupe.keyed('stock', stock)
const deskAt = troupe.keyed('desk', desk)
if (mode === 'run') {
  for (let n = Number(from); ; n++) {
    const placed = Array.from({ length: DESKS }, async (_, d) => {
      const id = `${d}/${n}`
      await deskAt(String(d)).tell({ type: 'place', id, n, goods: [...new Set([n % GOODS, (n * 3 + d) % GOODS])] })
      process.stdout.write(`${id}\n`)
    })
    await Promise.all(placed)
  }
} else {
  const desks = await Promise.all(Array.from({ length: DESKS }, (_, d) => deskAt(String(d)).ask({ type: 'state' }, { timeout: '60s' })))
  const stocks = await Promise.all(Array.from({ length: GOODS }, (_, g) => stockOf(String(g)).ask({ type: 'state' })))
  const shipped = await shippingRef.ask({ type: 'state' })
  process.stdout.write(JSON.stringify({ done: desks.flatMap(({ done }) => done), stocks, shipped, bill: readFileSync(bill, 'utf8').split('\n').slice(0, -1) }))
  await troupe.stop()
}
