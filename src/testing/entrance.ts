/** The way in from outside, which stays good over crashes. */
import type { Address } from '../runtime/address.js'
import type { Protocol, Specs } from '../runtime/protocol.js'
import { Ref, type RefPort } from '../runtime/ref.js'
import type { Troupe } from '../runtime/troupe.js'
import type { Life } from './life.js'

/** Whose lives calls go to. */
export interface Door {
  /** A life that is up, if one is. */
  readonly open: Life | undefined
  /** Resolves once one is up. */
  up(): Promise<unknown>
}

/** A ref whose calls go to a life that is up at that moment, or wait until one is; a crash ends them with `Interrupted`. */
export function refThrough<S extends Specs>(door: Door, protocol: Protocol<S>, address: Address): Ref<S> {
  const call = <T>(start: (troupe: Troupe) => Promise<T>): Promise<T> => {
    const life = door.open
    const troupe = life?.troupe
    return life === undefined || troupe === undefined ? door.up().then(() => call(start)) : life.call(() => start(troupe))
  }
  const port: RefPort = {
    tell: (ref, message, options) => call((troupe) => troupe.ref(ref.protocol, ref.address).tell(message as never, options)),
    ask: (ref, message, options) => call((troupe) => troupe.ref(ref.protocol, ref.address).ask(message as never, options)),
    stream: (ref, message, options) => read(door, (troupe) => troupe.ref(ref.protocol, ref.address).stream(message as never, options)),
    stop: (of) => call((troupe) => troupe.ref(ANYTHING, of).stop()),
    watch: (of, signal) => call((troupe) => troupe.ref(ANYTHING, of).watch(signal === undefined ? {} : { signal })),
  }
  return new Ref(address, protocol, port)
}

/** A stream of one life: when that ends, so does the stream. */
async function* read(door: Door, open: (troupe: Troupe) => AsyncIterableIterator<unknown>): AsyncIterableIterator<unknown> {
  let life = door.open
  while (life?.troupe === undefined) {
    await door.up()
    life = door.open
  }
  const opened = life
  const { troupe } = life
  const chunks = open(troupe)
  try {
    for (;;) {
      const next = await opened.call(() => chunks.next())
      if (next.done === true) return
      yield next.value
    }
  } finally {
    void chunks.return?.()
  }
}

const ANYTHING: Protocol = { specs: {} }
