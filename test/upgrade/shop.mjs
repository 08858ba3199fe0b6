// Works with a store as far as the program before its upgrade comes, and says so: node shop.mjs <folder> [key]
import { createTroupe } from 'troupe'
import { lmdb } from 'troupe/lmdb'
import { diary, lamp, order, stairs, till, visitor } from './before.mjs'

const [folder, key] = process.argv.slice(2)
const troupe = await createTroupe({ store: lmdb(folder, key === undefined ? {} : { key }) })
const orderAt = troupe.keyed('order', order)
const tillAt = troupe.keyed('till', till)
const visitorAt = troupe.keyed('visitor', visitor)
await troupe.spawn('lamp', lamp).ask({ type: 'press' })
await troupe.spawn('stairs', stairs).ask({ type: 'press' })
await troupe.spawn('diary', diary).tell({ type: 'write', text: 'first' })
for (const each of ['1', '2']) {
  await tillAt(each).ask({ type: 'pay', cents: 3 })
  await visitorAt(each).ask({ type: 'press' })
}
for (const what of ['a book', 'a pen']) void orderAt(what.at(-1)).ask({ type: 'place', what }, { timeout: 'none' })
console.log('ready')
