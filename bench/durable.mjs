// Durable steps beside bare LMDB. node --expose-gc bench/durable.mjs
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'lmdb'
import { actor, createTroupe, protocol, request } from 'troupe'
import { lmdb } from 'troupe/lmdb'
import { alternate, compare, header } from './side-by-side.mjs'

const anything = { '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value }) } }
const Account = protocol({ add: request(anything, anything) })
const account = actor(Account, { durable: true, state: () => ({ cents: 0, name: 'Ada' }), on: { add: ({ cents }, me) => (me.state.cents += cents) } })
const made = []
const folder = () => (made.push(mkdtempSync(join(tmpdir(), 'troupe-bench-'))), made.at(-1))

const troupe = await createTroupe({ store: lmdb(folder()), check: 'boundary' })
const accountAt = troupe.keyed('account', account)
const WRITERS = 64
const ACTORS = 1_024
const each = (width, once) => (n) => {
  let left = n
  const worker = async (w) => {
    while (left-- > 0) await once(w)
  }
  return Promise.all(Array.from({ length: width }, (_, w) => worker(w)))
}
const bare = open({ path: folder(), encoding: 'binary', overlappingSync: false })
const record = Buffer.alloc(120, 1)
let n = 0
header(`Durable steps, each fsynced`)
const rates = await alternate(
  {
    [`steps of ${ACTORS} durable actors`]: { n: 60_000, run: each(ACTORS, (w) => accountAt(String(w)).ask({ type: 'add', cents: 1 }, { timeout: 'none' })) },
    [`steps of ${WRITERS} durable actors`]: { n: 20_000, run: each(WRITERS, (w) => accountAt(String(w)).ask({ type: 'add', cents: 1 }, { timeout: 'none' })) },
    [`bare LMDB, ${WRITERS} writers of one record`]: { n: 40_000, run: each(WRITERS, (w) => bare.put(`k${w}/${n++ % 1000}`, record)) },
  },
  { rounds: 5, warm: 1 },
)
compare(rates, [
  [`steps of ${ACTORS} durable actors`, `bare LMDB, ${WRITERS} writers of one record`],
  [`steps of ${WRITERS} durable actors`, `bare LMDB, ${WRITERS} writers of one record`],
])
const rate = rates[`steps of ${ACTORS} durable actors`].toSorted((a, b) => a - b)[2]
console.log(rate >= 30_000 ? `${Math.round(rate)} steps a second: the bar is 30,000` : `below the bar: ${Math.round(rate)} steps a second of 30,000`)
await troupe.stop()
await bare.close()

/** A store full of durable actors, opened by a troupe of its own: milliseconds until the first answer. */
async function opened(path) {
  const start = performance.now()
  const again = await createTroupe({ store: lmdb(path), check: 'boundary' })
  const answer = await again.keyed('account', account)('77777').ask({ type: 'add', cents: 1 })
  const ms = performance.now() - start
  if (answer !== 2) throw new Error(`an account holds ${String(answer)} where 2 are due`)
  await again.stop()
  return ms
}
const STORED = 100_000
const full = folder()
const writing = await createTroupe({ store: lmdb(full), check: 'boundary' })
const stored = writing.keyed('account', account, { passivateAfter: '1s' })
for (let i = 0; i < STORED; i += ACTORS) await Promise.all(Array.from({ length: Math.min(ACTORS, STORED - i) }, (_, j) => stored(String(i + j)).ask({ type: 'add', cents: 1 }, { timeout: 'none' })))
await writing.stop()
const ms = await opened(full)
console.log(`a store with ${STORED} durable actors opens, and the first one answers, in ${ms.toFixed(0)} ms: the bar is 2,000`)
for (const path of made) rmSync(path, { recursive: true, force: true })
process.exit(rate >= 30_000 && ms < 2_000 ? 0 : 1)
