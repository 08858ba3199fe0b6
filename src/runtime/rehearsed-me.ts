/** What a handler holds when it runs again only to see how far it comes: nothing leaves it, and what is not on record never comes. */
import { childAddress, checkChildName, type Address } from './address.js'
import type { Cell } from './cell.js'
import type { Definition } from './definition.js'
import { DurableMe, type DurableHost } from './durable-me.js'
import { HandlerMe, type HandlerHost } from './handler-me.js'
import type { Ledger } from './ledger.js'
import type { Envelope } from './envelope.js'
import type { Specs } from './protocol.js'
import type { Ref } from './ref.js'

export const never = (): Promise<never> => new Promise(() => {})

/** A stream, or a call that is read part by part, of which nothing ever comes. */
export const NEVER: AsyncIterableIterator<never> & PromiseLike<never> = {
  next: never,
  [Symbol.asyncIterator]: () => NEVER,
  // oxlint-disable-next-line unicorn/no-thenable -- a call may be awaited, too
  then: never,
}

/** Told of each child that would be spawned. */
type Spawned = (address: Address, definition: Definition) => void

/** What `started` holds: nothing of it is on record, so nothing that it waits for comes. */
export class RehearsedStart extends HandlerMe {
  readonly #cell: Cell
  readonly #spawned: Spawned

  constructor(cell: Cell, host: HandlerHost, spawned: Spawned) {
    super(cell, host, undefined)
    this.#cell = cell
    this.#spawned = spawned
  }

  protected override afterSegment<T>(): Promise<T> {
    return never()
  }
  protected override send(): void {}

  override stream(): AsyncIterableIterator<unknown> {
    return NEVER
  }

  override spawn<S extends Specs>(name: string, definition: Definition<S>): Ref<S> {
    const address = childAddress(this.address, checkChildName(name))
    this.#spawned(address, definition)
    return this.#cell.parts.ref(definition.protocol, address)
  }

  override watch(): void {}
  override subscribe(): void {}
  override stop(): void {}
}

export class RehearsedMe extends DurableMe {
  readonly #cell: Cell
  readonly #spawned: Spawned

  constructor(cell: Cell, host: DurableHost, ledger: Ledger, envelope: Envelope, spawned: Spawned) {
    super(cell, host, ledger, envelope)
    this.#cell = cell
    this.#spawned = spawned
  }

  protected override afterSegment<T>(): Promise<T> {
    return never()
  }

  override stream(): AsyncIterableIterator<unknown> {
    return NEVER
  }

  override spawn<S extends Specs>(name: string, definition: Definition<S>): Ref<S> {
    const address = childAddress(this.address, checkChildName(name))
    this.#spawned(address, definition)
    return this.#cell.parts.ref(definition.protocol, address)
  }

  override watch(): void {}
  override subscribe(): void {}
  override stop(): void {}
}
