/** What `gateway` takes and gives. */
import { event, protocol, request } from '../../runtime/index.js'
import { count, list, number, optional, record, string } from '../shape.js'

const entry = record({ at: number, who: string, remote: string, method: string, path: string, type: optional(string), status: number, code: optional(string), ms: number })

export const Gateway = protocol({
  /** Where it listens; answered once it does. */
  listening: request(null, record({ url: string, host: string, port: number })),
  /** The last requests, the oldest first; 1,000 are kept. */
  audited: request(record({ last: optional(count) }), list(entry)),
  /** Serves until it is stopped. It sends this to itself; nobody else need. */
  serve: event(),
})
