/**
 * A trader who buys or sells one good a day, and never at a loss. Nobody knows what it is worth to anybody else: who gets
 * no trade gives way a little, and who has made one hopes for what others were paid, and a little more.
 */
import { z } from 'zod'
import { actor, event, protocol, type Ref } from 'troupe'
import type { Exchange } from './exchange.js'

export const Trader = protocol({
  /** Trade until then. */
  day: event(z.object({ until: z.number() })),
  traded: event(z.object({ price: z.number() })),
  price: event(z.object({ price: z.number() })),
})

export interface Role {
  readonly side: 'buyer' | 'seller'
  /** What the good is worth to a buyer, or costs a seller. */
  readonly limit: number
}

/** What share of the way to its limit a trader gives way with each offer that nobody took. */
const GIVES_WAY = 0.1
const LEARNS = 0.1
const HOPES = 0.02

export const trader = (exchange: Ref<(typeof Exchange)['specs']>, { side, limit }: Role, onTrade: (price: number, surplus: number) => void) => {
  const sign = side === 'buyer' ? 1 : -1
  return actor(Trader, {
    // Who begins is greedy.
    state: () => ({ offer: limit * (1 - 0.5 * sign) }),
    started: (me) => me.subscribe('market.price'),
    on: {
      day: async ({ until }, me) => {
        const awhile = (): number => 1 + Math.floor(me.random() * 3_600_000)
        for (await me.sleep(awhile()); me.clock.now() < until; ) {
          me.tell(exchange, { type: side === 'buyer' ? 'bid' : 'ask', price: me.state.offer })
          const traded = await me.waitFor('traded', { timeout: awhile() }).catch(() => me.signal.throwIfAborted())
          if (traded !== undefined) return onTrade(traded.price, sign * (limit - traded.price))
          me.state.offer += GIVES_WAY * (limit - me.state.offer)
        }
      },
      traded: () => {},
      // The prices of a day are heard when its trading is over.
      price: ({ price }, me) => {
        const hoped = me.state.offer + LEARNS * (price * (1 - HOPES * sign) - me.state.offer)
        me.state.offer = sign > 0 ? Math.min(limit, hoped) : Math.max(limit, hoped)
      },
    },
  })
}
