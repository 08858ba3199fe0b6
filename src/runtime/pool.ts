/** Several actors of one definition behind one address. */
import { TroupeError } from '../ground/errors.js'
import type { Cell } from './cell.js'
import type { Definition } from './definition.js'
import { fingerprint } from './fingerprint.js'
import type { Target } from './receiver.js'
import type { Message } from './protocol.js'

/**
 * How a pool picks who gets a message: the next in turn, the one with the least to do, all (events only),
 * all with the first reply winning, or always the same one for the same key.
 */
export type Route = 'round-robin' | 'least-loaded' | 'broadcast' | 'first-reply' | { readonly hash: (message: Message) => string }

export interface PoolOptions {
  readonly size: number
  /** Default `round-robin`. */
  readonly route?: Route
}

export class Pool implements Target {
  readonly definition: Definition
  readonly members: readonly Cell[]
  readonly #route: Route
  #alive: readonly Cell[]
  #next = 0

  constructor(definition: Definition, members: readonly Cell[], route: Route) {
    this.definition = definition
    this.members = this.#alive = members
    this.#route = route
  }

  /** Whether any member is left. */
  get alive(): boolean {
    return this.#living().length > 0
  }

  /** Who gets this message, while any member is left. */
  pick(message: Message): Cell | readonly Cell[] {
    const alive = this.#living()
    switch (this.#route) {
      case 'round-robin':
        return alive[this.#next++ % alive.length] as Cell
      case 'least-loaded':
        return alive.reduce((least, member) => (member.load < least.load ? member : least))
      case 'broadcast':
        if (this.definition.protocol.specs[message.type]?.kind === 'event') return alive
        throw new TroupeError('InvalidMessage', `${message.type} to a broadcast pool would have ${alive.length} outcomes`, "broadcast events only, or route the pool by 'first-reply'")
      case 'first-reply':
        return alive
      default:
        return rendezvous(this.#route.hash(message), alive)
    }
  }

  #living(): readonly Cell[] {
    if (!this.#alive.every((member) => member.alive)) this.#alive = this.#alive.filter((member) => member.alive)
    return this.#alive
  }
}

/** Rendezvous hashing (Thaler and Ravishankar 1998): a member that leaves moves only its own keys. */
function rendezvous(key: string, members: readonly Cell[]): Cell {
  let best = members[0] as Cell
  let most = -1
  for (const member of members) {
    const weight = fingerprint(`${member.address} ${key}`)
    if (weight > most) {
      best = member
      most = weight
    }
  }
  return best
}
