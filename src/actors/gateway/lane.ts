/**
 * The short way of the common request: a JSON body of known length to a plain path. It needs no router and no parsers
 * to find out what is known from its head; everything else goes the library's way, and finds the same routes there.
 */
import type { IncomingMessage } from 'node:http'
import type { Exchange } from './exchange.js'
import type { Route } from './face.js'

const JSON_TYPES: ReadonlySet<string | undefined> = new Set(['application/json', 'application/json; charset=utf-8', 'application/json;charset=utf-8'])
/** What a URL writes as it is. */
const PLAIN = /^[\w./:@~-]+$/

interface Found {
  readonly route: Route
  /** What stands in the place of `*`. */
  readonly rest: string
}

export class Lane {
  readonly #whole = new Map<string, Found>()
  readonly #begun: (readonly [beginning: string, Route])[] = []
  readonly #bodyBytes: number

  constructor(routes: readonly Route[], bodyBytes: number) {
    this.#bodyBytes = bodyBytes
    for (const route of routes) {
      if (route.method !== 'POST') continue
      if (route.path.endsWith('*')) this.#begun.push([route.path.slice(0, -1), route])
      else this.#whole.set(route.path, { route, rest: '' })
    }
  }

  /** The route of a request that can go this way. */
  find({ method, url = '', headers }: IncomingMessage): Found | undefined {
    const length = headers['content-length']
    if (method !== 'POST' || length === undefined || !(Number(length) <= this.#bodyBytes) || !JSON_TYPES.has(headers['content-type'])) return undefined
    return this.#whole.get(url) ?? this.#longest(url)
  }

  #longest(url: string): Found | undefined {
    if (!PLAIN.test(url)) return undefined
    for (const [beginning, route] of this.#begun) if (url.length > beginning.length && url.startsWith(beginning)) return { route, rest: url.slice(beginning.length) }
    return undefined
  }
}

/** The body as text; its length is announced, and Node lets no more through. `broken` when it does not come to its end. */
export function readText({ raw }: Exchange, done: (text: string) => void, broken: (error: Error) => void): void {
  let first: Buffer | undefined
  let more: Buffer[] | undefined
  const take = (chunk: Buffer): void => {
    if (first === undefined) first = chunk
    else (more ??= [first]).push(chunk)
  }
  const end = (): void => {
    // Otherwise Node looks for them all once the answer is out.
    raw.off('data', take).off('error', broken).off('end', end)
    done(more === undefined ? (first?.toString() ?? '') : Buffer.concat(more).toString())
  }
  raw.on('data', take).on('end', end).on('error', broken)
}
