/** An exchange: matches the best bid with the best ask, and tells everybody the price. */
import { z } from 'zod'
import { actor, event, protocol, type Address, type Me } from 'troupe'
import { Trader } from './trader.js'

export const Exchange = protocol({
  bid: event(z.object({ price: z.number() })),
  ask: event(z.object({ price: z.number() })),
  /** The day is over: nothing that was offered stands. */
  close: event(),
})

interface State {
  /** What each trader offers at present. */
  readonly bids: Map<Address, number>
  readonly asks: Map<Address, number>
  /** Who has traded today: an offer that crossed with its own trade must not stand. */
  readonly done: Set<Address>
}

export const exchange = actor(Exchange, {
  mailbox: { capacity: 10_000 },
  state: (): State => ({ bids: new Map(), asks: new Map(), done: new Set() }),
  on: {
    bid: ({ price }, me) => {
      if (!me.state.done.has(me.from)) me.state.bids.set(me.from, price)
      match(me)
    },
    ask: ({ price }, me) => {
      if (!me.state.done.has(me.from)) me.state.asks.set(me.from, price)
      match(me)
    },
    close: (_, me) => {
      me.state.bids.clear()
      me.state.asks.clear()
      me.state.done.clear()
    },
  },
})

/** They meet in the middle. */
function match(me: Me<(typeof Exchange)['specs'], State>): void {
  const { bids, asks } = me.state
  const buyer = best(bids, (a, b) => a > b)
  const seller = best(asks, (a, b) => a < b)
  if (buyer === undefined || seller === undefined || buyer.price < seller.price) return
  const price = (buyer.price + seller.price) / 2
  bids.delete(buyer.trader)
  asks.delete(seller.trader)
  for (const { trader } of [buyer, seller]) {
    me.state.done.add(trader)
    me.tell(me.ref(Trader, trader), { type: 'traded', price })
  }
  me.publish('market.price', { type: 'price', price })
}

function best(offers: ReadonlyMap<Address, number>, beats: (a: number, b: number) => boolean): { readonly trader: Address; readonly price: number } | undefined {
  let found: { readonly trader: Address; readonly price: number } | undefined
  for (const [trader, price] of offers) if (found === undefined || beats(price, found.price)) found = { trader, price }
  return found
}
