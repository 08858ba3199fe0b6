/** A reader: remembers what it did with which item, and asks the shelf for more of the same. */
import { actor, event, protocol, request, type Ref } from 'troupe'
import { z } from 'zod'
import type { Shelf, Suggestion } from './shelf.js'

/** What an action says of liking an item. */
const WORTH = { viewed: 0.2, borrowed: 0.6, liked: 1, disliked: -1 } as const
export type Action = keyof typeof WORTH

export const Reader = protocol({
  did: event(z.object({ action: z.enum(['viewed', 'borrowed', 'liked', 'disliked']), item: z.string() })),
  recommend: request(z.object({ count: z.number() }), z.custom<readonly Suggestion[]>((value) => Array.isArray(value))),
})

/** Older actions are forgotten: tastes change. */
const REMEMBERED_MAX = 100

export const reader = (shelf: Ref<(typeof Shelf)['specs']>) =>
  actor(Reader, {
    state: (): { actions: readonly { readonly item: string; readonly action: Action }[] } => ({ actions: [] }),
    on: {
      did: ({ item, action }, me) => {
        me.state.actions = [...me.state.actions, { item, action }].slice(-REMEMBERED_MAX)
      },
      recommend: ({ count }, me) => {
        // The last word on an item counts, but looking at it again takes nothing back.
        const tastes = new Map<string, number>()
        for (const { item, action } of me.state.actions) if (action !== 'viewed' || !tastes.has(item)) tastes.set(item, WORTH[action])
        return me.ask(shelf, { type: 'suggest', tastes: Array.from(tastes, ([item, weight]) => ({ item, weight })), seen: [...tastes.keys()], count })
      },
    },
  })
