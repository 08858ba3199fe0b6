/** What a handler holds when it runs again only to see how far it comes: nothing leaves it, and what is not on record never comes. */
import { childAddress, checkChildName } from './address.js'
import type { Cell } from './cell.js'
import type { Definition } from './definition.js'
import { DurableMe, type DurableHost } from './durable-me.js'
import type { Ledger } from './ledger.js'
import type { Envelope } from './envelope.js'
import type { Specs } from './protocol.js'
import type { Ref } from './ref.js'

const never = (): Promise<never> => new Promise(() => {})

export class RehearsedMe extends DurableMe {
  readonly #cell: Cell

  constructor(cell: Cell, host: DurableHost, ledger: Ledger, envelope: Envelope) {
    super(cell, host, ledger, envelope)
    this.#cell = cell
  }

  protected override afterSegment<T>(): Promise<T> {
    return never()
  }

  override stream(): AsyncIterableIterator<unknown> {
    return { next: never, [Symbol.asyncIterator]() { return this } }
  }

  override spawn<S extends Specs>(name: string, definition: Definition<S>): Ref<S> {
    return this.#cell.parts.ref(definition.protocol, childAddress(this.address, checkChildName(name)))
  }

  override watch(): void {}
  override subscribe(): void {}
  override stop(): void {}
}
