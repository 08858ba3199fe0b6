/** Which waiting requests go together. No clock, no IO: the same waiting line always gives the same batches. */
import type { Urgency } from './kernel.js'
import { LOOK_AHEAD, OVERTAKEN_MAX, TURNS_MAX } from './limits.js'

/** A piece of work that waits for a model. */
export interface Waiting {
  /** Only work of the same group can share a forward pass. */
  readonly group: string
  /** Roughly how many tokens it holds. */
  readonly cost: number
  readonly urgency: Urgency
  /** Callers take turns. */
  readonly caller: string
  /** True once nobody wants the answer: it is dropped instead of computed. */
  readonly gone: boolean
}

const LANES: readonly Urgency[] = ['interactive', 'normal', 'bulk']
export const rankOf = (urgency: Urgency): number => LANES.indexOf(urgency)


export interface Gathering<W> {
  /** Padded tokens that a batch with this first piece may hold. The first piece always fits. */
  readonly tokensMax: (first: W) => number
  readonly countMax: number
}

/**
 * A waiting line: three lanes by urgency, and in each lane the callers take turns.
 *
 * B1. A batch holds one group only, and at most `tokensMax` padded tokens unless it holds a single piece.
 * B2. What is gone never enters a batch, and leaves the line when it is met.
 * B3. Within one caller, lane and group, work of about equal length keeps its order.
 * B4. Of one caller, at most `callerMax` pieces are out (gathered and not released) at a time.
 */
export class Line<W extends Waiting> {
  readonly #lanes: readonly Map<string, W[]>[] = LANES.map(() => new Map())
  readonly #overtaken = LANES.map(() => 0)
  readonly #callerMax: number
  /** Pieces that are out, by caller; who has none is not in it. */
  readonly #out = new Map<string, number>()
  #size = 0
  #cost = 0

  constructor(callerMax = Infinity) {
    this.#callerMax = callerMax
  }

  get size(): number {
    return this.#size
  }
  /** Tokens of everything that waits. */
  get cost(): number {
    return this.#cost
  }

  add(work: W): void {
    const lane = this.#lane(rankOf(work.urgency))
    const line = lane.get(work.caller)
    if (line === undefined) lane.set(work.caller, [work])
    else line.push(work)
    this.#count(work, 1)
  }

  /** What was gathered is done with, or was given back: its callers may have as much more out. */
  release(work: readonly W[]): void {
    for (const { caller } of work) {
      const left = (this.#out.get(caller) ?? 0) - 1
      if (left > 0) this.#out.set(caller, left)
      else this.#out.delete(caller)
    }
  }

  /** Puts back what was taken but not done, before everything else of its caller. */
  giveBack(work: readonly W[]): void {
    for (const item of [...work].reverse()) {
      const lane = this.#lane(rankOf(item.urgency))
      lane.set(item.caller, [item, ...(lane.get(item.caller) ?? [])])
      this.#count(item, 1)
    }
  }

  /** The next batch, or none; takes it out of the line. `fits` may refuse a seed that has no room now. */
  gather({ tokensMax, countMax }: Gathering<W>, fits: (work: W) => boolean = () => true): W[] {
    const first = this.#seed(fits)
    if (first === undefined) return []
    const batch = [first]
    const room = tokensMax(first)
    let longest = first.cost
    const shortest = first.cost
    const joins = (work: W): boolean => {
      if (work.group !== first.group || !fits(work)) return false
      const grown = Math.max(longest, work.cost)
      return grown * (batch.length + 1) <= room && similar(grown, Math.min(shortest, work.cost))
    }
    for (const rank of this.#lanesFrom(rankOf(first.urgency))) {
      let taken = true
      while (taken && batch.length < countMax) {
        taken = false
        let turns = Math.min(this.#lane(rank).size, TURNS_MAX)
        for (const caller of this.#lane(rank).keys()) {
          if (this.#isFull(caller)) continue
          // A caller that was served stands at the end of the map again, so the turns are counted.
          if (turns-- === 0 || batch.length >= countMax) break
          const work = this.#take(rank, caller, joins)
          if (work === undefined) continue
          batch.push(work)
          longest = Math.max(longest, work.cost)
          taken = true
        }
      }
    }
    return batch
  }

  /** Drops what is gone, wherever it stands. */
  sweep(): void {
    for (const lane of this.#lanes) {
      for (const [caller, line] of lane) {
        const kept = line.filter((work) => !work.gone)
        for (const work of line) if (work.gone) this.#count(work, -1)
        if (kept.length === 0) lane.delete(caller)
        else lane.set(caller, kept)
      }
    }
  }

  /** Everything that waits, taken out. */
  drain(): W[] {
    const all = this.#lanes.flatMap((lane) => [...lane.values()].flat())
    for (const lane of this.#lanes) lane.clear()
    this.#size = 0
    this.#cost = 0
    return all
  }

  #count(work: W, change: 1 | -1): void {
    this.#size += change
    this.#cost += change * work.cost
  }

  #isFull(caller: string): boolean {
    return (this.#out.get(caller) ?? 0) >= this.#callerMax
  }

  #lane(rank: number): Map<string, W[]> {
    return this.#lanes[rank] as Map<string, W[]>
  }

  /** The lane that seeds a batch comes first, then the others in order of urgency. */
  #lanesFrom(rank: number): number[] {
    return [rank, ...LANES.keys()].filter((other, at, all) => all.indexOf(other) === at)
  }

  #seed(fits: (work: W) => boolean): W | undefined {
    const impatient = this.#overtaken.findIndex((count) => count >= OVERTAKEN_MAX)
    const order = impatient < 0 ? [...LANES.keys()] : this.#lanesFrom(impatient)
    for (const rank of order) {
      let turns = this.#lane(rank).size
      for (const caller of this.#lane(rank).keys()) {
        if (turns-- === 0) break
        const work = this.#isFull(caller) ? undefined : this.#take(rank, caller, fits)
        if (work === undefined) continue
        this.#noteOvertaken(rank)
        return work
      }
    }
    return undefined
  }

  #noteOvertaken(rank: number): void {
    for (const other of LANES.keys()) {
      if (other > rank && this.#lane(other).size > 0) this.#overtaken[other] = (this.#overtaken[other] as number) + 1
    }
    this.#overtaken[rank] = 0
  }

  /** The first fitting work of a caller near the head of its line; the caller then goes to the end of the turns. */
  #take(rank: number, caller: string, fits: (work: W) => boolean): W | undefined {
    const lane = this.#lane(rank)
    const line = lane.get(caller) as W[]
    let found: W | undefined
    let at = 0
    for (let looked = 0; looked < LOOK_AHEAD && at < line.length; looked++) {
      const work = line[at] as W
      if (!work.gone && !fits(work)) {
        at++
        continue
      }
      line.splice(at, 1)
      this.#count(work, -1)
      if (work.gone) {
        looked--
        continue
      }
      found = work
      break
    }
    if (found !== undefined) this.#out.set(caller, (this.#out.get(caller) ?? 0) + 1)
    if (found !== undefined || line.length === 0) lane.delete(caller)
    if (found !== undefined && line.length > 0) lane.set(caller, line)
    return found
  }
}

/** Padding a text to a neighbour twice its length wastes half of the work; below 16 tokens it hardly matters. */
const similar = (longest: number, shortest: number): boolean => longest <= Math.max(16, 2 * shortest)

/** Token counts split into forward passes: indices grouped by similar length, each at most `tokensMax` padded tokens. */
export function passes(lengths: readonly number[], tokensMax: number): number[][] {
  const order = [...lengths.keys()].sort((a, b) => (lengths[a] as number) - (lengths[b] as number))
  const groups: number[][] = []
  let group: number[] = []
  for (const index of order) {
    const length = lengths[index] as number
    const shortest = lengths[group[0] ?? index] as number
    if (group.length > 0 && (length * (group.length + 1) > tokensMax || !similar(length, shortest))) {
      groups.push(group)
      group = []
    }
    group.push(index)
  }
  if (group.length > 0) groups.push(group)
  return groups
}
