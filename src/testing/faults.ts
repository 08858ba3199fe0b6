/** What can go wrong in a simulation, and when. A list of faults is plain data: a run can be told it again. */

/** Each happens once the simulation has made `step` steps. Durations are virtual. */
export type Fault =
  /** The process dies, and is started again `downMs` later. Of what was not synced a part from none (0) to all (1) is kept. */
  | { readonly kind: 'crash'; readonly step: number; readonly kept: number; readonly downMs: number }
  /** Each sync takes `ms`. */
  | { readonly kind: 'slow-disk'; readonly step: number; readonly ms: number; readonly forMs: number }
  /** Nothing can be written. */
  | { readonly kind: 'full-disk'; readonly step: number; readonly forMs: number }
  /** Somebody sets the clock: forward, or back when `ms` is negative. */
  | { readonly kind: 'clock-jump'; readonly step: number; readonly ms: number }
  /** The next calls of models fail. */
  | { readonly kind: 'failing-model'; readonly step: number; readonly calls: number }

/** How many faults of each kind a run has at most; when and how they strike is the seed's to say. */
export interface Faults {
  readonly crashes?: number
  readonly slowDisks?: number
  readonly fullDisks?: number
  readonly clockJumps?: number
  readonly failingModels?: number
}

/** Steps between two faults of a kind, on average: seeds differ in it, since some faults hurt only in quick succession. */
const PACES = [8, 40, 200]

const KINDS: readonly (readonly [keyof Faults, (step: number, random: () => number) => Fault])[] = [
  ['crashes', (step, random) => ({ kind: 'crash', step, kept: hundredth(random()), downMs: whole(random(), 500) })],
  ['slowDisks', (step, random) => ({ kind: 'slow-disk', step, ms: 1 + whole(random() ** 3, 20_000), forMs: whole(random(), 20_000) })],
  ['fullDisks', (step, random) => ({ kind: 'full-disk', step, forMs: 1 + whole(random(), 10_000) })],
  ['clockJumps', (step, random) => ({ kind: 'clock-jump', step, ms: whole(random() * 2 - 1, 7_200_000) })],
  ['failingModels', (step, random) => ({ kind: 'failing-model', step, calls: 1 + whole(random(), 5) })],
]

export function plan(faults: Faults, random: () => number): Fault[] {
  const planned: Fault[] = []
  for (const [kind, make] of KINDS) {
    const pace = PACES[Math.floor(random() * PACES.length)] as number
    let step = 0
    for (let n = 0; n < (faults[kind] ?? 0); n++) planned.push(make((step += 1 + whole(random() * 2, pace)), random))
  }
  return planned.toSorted((a, b) => a.step - b.step)
}

const whole = (share: number, most: number): number => Math.floor(share * most)
const hundredth = (share: number): number => Math.round(share * 100) / 100

/** The fewest faults with which a run still fails, tried within a bound: halves first, then one by one. */
export async function shrink(faults: readonly Fault[], fails: (fewer: readonly Fault[]) => Promise<boolean>, tries: number): Promise<readonly Fault[]> {
  let left = faults
  let size = Math.ceil(left.length / 2)
  for (let at = 0; size > 0 && left.length > 0 && tries > 0; tries--) {
    const fewer = [...left.slice(0, at), ...left.slice(at + size)]
    if (await fails(fewer)) left = fewer
    else at += size
    if (at < left.length) continue
    at = 0
    size = size === 1 ? 0 : Math.ceil(size / 2)
  }
  return left
}
