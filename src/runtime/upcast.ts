/**
 * What an older version of a definition left, as the present one takes it.
 * What was written is left as it is until its actor's next step, so that a deploy that is taken back finds it.
 */
import { TroupeError, describe } from '../ground/errors.js'
import type { Address } from './address.js'
import { pack, unpack } from './codec.js'
import type { Definition } from './definition.js'
import { Envelope } from './envelope.js'
import type { KeptChart } from './kept-snapshot.js'

export class Upcast {
  readonly version: number
  readonly #address: Address
  readonly #definition: Definition

  constructor(address: Address, definition: Definition) {
    this.#address = address
    this.#definition = definition
    this.version = definition.options.version ?? 0
  }

  /** A kept state. Throws `Incompatible` for that of a later version, and when the upcaster throws. */
  state(kept: Uint8Array | undefined, from: number): Uint8Array | undefined {
    if (kept === undefined || from === this.version) return kept
    const up = this.#definition.options.upcast?.state
    if (from > this.version) throw this.#later('state', from)
    if (up === undefined) return kept
    return this.#try('state', from, () => {
      const old = unpack(kept)
      if (this.#definition.logic.kind === 'handlers') return pack(up(old as never, from))
      const { snapshot, ...rest } = old as KeptChart
      const { value, context } = snapshot
      return pack({ ...rest, snapshot: { ...snapshot, ...(up({ value, context } as never, from) as object) } })
    })
  }

  /** Mail that came when its actor had another version. */
  mail(envelope: Envelope, from: number): Envelope {
    if (from === this.version) return envelope
    if (from > this.version) throw this.#later(envelope.type, from)
    const up = this.#definition.options.upcast?.messages?.[envelope.type]
    if (up === undefined) return envelope
    const body = this.#try(envelope.type, from, () => pack({ ...(up(unpack(envelope.body) as never, from) as object), type: envelope.type }))
    const { id, to, type, correlation, cause, deadline, priority, trace, sequence, attempt } = envelope
    const now = new Envelope(id, to, envelope.from, type, body, correlation, cause, deadline, priority, trace, sequence, attempt)
    now.entry = envelope.entry
    now.began = envelope.began
    return now
  }

  #try<T>(what: string, from: number, up: () => T): T {
    try {
      return up()
    } catch (error) {
      throw new TroupeError('Incompatible', `the ${what} of ${this.#address} cannot come from version ${from} to ${this.version}: ${describe(error)}`, 'mend its upcast; nothing that is stored has changed', { address: this.#address }, error)
    }
  }

  #later(what: string, from: number): TroupeError {
    return new TroupeError('Incompatible', `the ${what} of ${this.#address} was written by version ${from} of its definition, this is ${this.version}`, 'run that version or a later one', { address: this.#address })
  }
}
