/** The items and where they lie in meaning: what is like what a reader liked, and why. */
import { actor, protocol, request } from 'troupe'
import { z } from 'zod'
import type { Item } from './items.js'

const taste = z.object({ item: z.string(), weight: z.number() })
const suggestion = z.object({
  id: z.string(),
  title: z.string(),
  score: z.number(),
  /** What the reader liked that is nearest to it. */
  because: z.array(z.object({ title: z.string(), likeness: z.number() })),
})
export type Taste = z.infer<typeof taste>
export type Suggestion = z.infer<typeof suggestion>

export const Shelf = protocol({
  /** The best of what this reader has not seen. */
  suggest: request(z.object({ tastes: z.array(taste), seen: z.array(z.string()), count: z.number() }), z.array(suggestion)),
})

/** An item is worth what the nearest things are that the reader judged; one neighbour may be chance, many wash out. */
const NEIGHBOURS = 3
const REASONS = 2

interface Placed extends Item {
  readonly vector: Float32Array
}

export const shelf = (items: readonly Item[], model = 'embedded:encoder') =>
  actor(Shelf, {
    state: (): { placed: readonly Placed[] | undefined } => ({ placed: undefined }),
    on: {
      suggest: async ({ tastes, seen, count }, me) => {
        const placed = (me.state.placed ??= place(items, await me.infer<Float32Array[]>('embed', model, items.map(({ text }) => text))))
        const judged = tastes.flatMap(({ item, weight }) => placed.filter(({ id }) => id === item).map((of) => ({ of, weight })))
        return placed
          .filter(({ id }) => !seen.includes(id))
          .map((item) => judge(item, judged))
          .filter(({ because }) => because.length > 0)
          .toSorted((a, b) => b.score - a.score)
          .slice(0, count)
      },
    },
  })

function judge(item: Placed, judged: readonly { readonly of: Placed; readonly weight: number }[]): Suggestion {
  const near = judged.map(({ of, weight }) => ({ title: of.title, weight, likeness: cosine(item.vector, of.vector) })).toSorted((a, b) => b.likeness - a.likeness).slice(0, NEIGHBOURS)
  const score = near.reduce((sum, { weight, likeness }) => sum + weight * Math.max(0, likeness), 0) / NEIGHBOURS
  const because = near.filter(({ weight, likeness }) => weight > 0 && likeness > 0).slice(0, REASONS)
  return { id: item.id, title: item.title, score, because: because.map(({ title, likeness }) => ({ title, likeness })) }
}

/** Without what all items have in common, so that unlike things have a likeness below zero. */
function place(items: readonly Item[], vectors: readonly Float32Array[]): Placed[] {
  const middle = Float32Array.from(vectors[0] ?? [], (_, at) => vectors.reduce((sum, vector) => sum + (vector[at] ?? 0), 0) / vectors.length)
  return items.map((item, i) => ({ ...item, vector: (vectors[i] ?? middle).map((x, at) => x - (middle[at] ?? 0)) }))
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = a.reduce((sum, x, at) => sum + x * (b[at] ?? 0), 0)
  return dot / (Math.hypot(...a) * Math.hypot(...b) || 1)
}
