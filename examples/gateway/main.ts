/**
 * The support desk for others to reach: by HTTP with a key, and by a page that shows answers as they are written.
 *
 *   node dist-examples/gateway/main.js [--port 3000]     prints a key, and where the page is
 *   curl -N localhost:3000/actors/dialogue/ada -H "x-api-key: $KEY" -H 'content-type: application/json' \
 *        -d '{"type":"say","text":"How long do I have to return a parcel?"}'
 *   curl localhost:3000/openapi.json -H "x-api-key: $KEY"
 *   curl localhost:3000/readyz
 */
import { parseArgs } from 'node:util'
import { createTroupe } from 'troupe'
import { openGateway } from './open.js'

const { values } = parseArgs({ options: { port: { type: 'string', default: '3000' } } })
const troupe = await createTroupe({ signals: true })
const { url, key } = await openGateway(troupe, { port: Number(values.port) })
console.log(`key ${key}\npage ${url}/#${key}`)
