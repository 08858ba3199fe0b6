// A bank that is killed: `node bank.mjs <folder> run <from>` transfers until it dies, `… check` finishes what is left and reports.
import { actor, createTroupe, event, protocol, request } from 'troupe'
import { lmdb } from 'troupe/lmdb'

const [folder, mode, from] = process.argv.slice(2)
const any = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }
const ACCOUNTS = 8
const TELLERS = 4

const Account = protocol({ move: request(any, any), state: request(null, any) })
const account = actor(Account, {
  durable: true,
  state: () => ({ cents: 1_000, seen: [], last: {}, disorder: 0, twice: 0 }),
  on: {
    move: ({ id, cents, teller, n }, { state }) => {
      if (state.seen.includes(id)) state.twice++
      if ((state.last[teller] ?? 0) > n) state.disorder++
      state.seen.push(id)
      state.last[teller] = n
      state.cents += cents
      return state.cents
    },
    state: (_, { state }) => state,
  },
})
const Teller = protocol({ transfer: event(any), state: request(null, any) })
const teller = actor(Teller, {
  durable: true,
  state: () => ({ done: [], paid: [] }),
  on: {
    transfer: async ({ id, n, out, to }, me) => {
      const fee = await me.step('fee', () => 1)
      await me.ask(me.ref(Account, `account/${out}`), { type: 'move', id: `${id}-`, cents: -10 * fee, teller: me.id, n })
      await me.ask(me.ref(Account, `account/${to}`), { type: 'move', id: `${id}+`, cents: 10 * fee, teller: me.id, n })
      me.state.done.push(id)
    },
    state: (_, { state }) => state,
  },
})

const troupe = await createTroupe({ store: lmdb(folder) })
const accountAt = troupe.keyed('account', account)
const tellerAt = troupe.keyed('teller', teller)
if (mode === 'run') {
  for (let n = Number(from); ; n++) {
    const told = Array.from({ length: TELLERS }, async (_, t) => {
      const id = `${t}/${n}`
      await tellerAt(String(t)).tell({ type: 'transfer', id, n, out: (n + t) % ACCOUNTS, to: (n * 3 + t + 1) % ACCOUNTS })
      process.stdout.write(`${id}\n`)
    })
    await Promise.all(told)
  }
} else {
  const tellers = await Promise.all(Array.from({ length: TELLERS }, (_, t) => tellerAt(String(t)).ask({ type: 'state' }, { timeout: '60s' })))
  const accounts = await Promise.all(Array.from({ length: ACCOUNTS }, (_, a) => accountAt(String(a)).ask({ type: 'state' })))
  process.stdout.write(JSON.stringify({ resumed: troupe.resumed.length, done: tellers.flatMap(({ done }) => done), accounts }))
  await troupe.stop()
}
