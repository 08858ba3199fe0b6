/** Which actors are shown at all, and which of them a caller may reach with which messages. */
import { checkAddress, keyOf, kindOf, type Address } from '../../runtime/address.js'
import { TroupeError } from '../../ground/errors.js'
import type { Protocol } from '../../runtime/index.js'

/**
 * What somebody may do: everything, or by address the message types. An address is written as it is, or as `kind/*` for
 * all keys of a kind; the faces of the gateway have addresses too: `/metrics`, `/openapi.json`, `/v1`.
 */
export type May = '*' | Readonly<Record<string, '*' | readonly string[]>>

/** One entry of what is shown, an address or `kind/*`. */
export interface Shown {
  readonly pattern: string
  readonly protocol: Protocol
}

const patternOf = (address: Address): string => `${kindOf(address)}/*`

/** Looks up an address by itself, then by its kind. */
function find<T>(entries: ReadonlyMap<string, T>, address: Address): T | undefined {
  return entries.get(address) ?? (keyOf(address) === undefined ? undefined : entries.get(patternOf(address)))
}

/** The actors that the gateway serves. */
export class Shop {
  readonly #shown: ReadonlyMap<string, Protocol>

  /** Throws `InvalidDefinition` for what is neither an address nor `kind/*`. */
  constructor(actors: Readonly<Record<string, Protocol>>) {
    for (const pattern of Object.keys(actors)) checkAddress(pattern)
    this.#shown = new Map(Object.entries(actors))
  }

  get entries(): readonly Shown[] {
    return Array.from(this.#shown, ([pattern, protocol]) => ({ pattern, protocol }))
  }

  /** The protocol of an address. One that is not shown is told from one that is not there by nobody. */
  protocol(address: Address): Protocol {
    const protocol = isAddress(address) && !address.endsWith('/*') ? find(this.#shown, address) : undefined
    if (protocol !== undefined) return protocol
    throw new TroupeError('NoSuchActor', `no actor at ${JSON.stringify(address.slice(0, 80))} for anybody outside`, 'see /openapi.json for what is served here')
  }
}

function isAddress(text: string): boolean {
  try {
    checkAddress(text)
    return true
  } catch {
    return false
  }
}

export type Scope = (address: Address, type: string) => boolean

/** What `may` allows, looked up once for all requests of a caller. */
export function scope(may: May): Scope {
  if (may === '*') return () => true
  const entries = new Map(Object.entries(may).map(([address, types]) => [address, types === '*' ? types : new Set(types)]))
  return (address, type) => {
    const types = find(entries, address)
    return types === '*' || types?.has(type) === true
  }
}
