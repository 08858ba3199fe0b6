/** What can go wrong in a simulation, and when. A list of faults is plain data: a run can be told it again. */
import { TroupeError } from '../ground/errors.js'

/**
 * Each happens once the simulation has made `step` steps. Durations are virtual. `node` is whom it strikes, among several
 * nodes; without, it strikes them all.
 */
export type Fault = NodeFault | NetworkFault

export type NodeFault =
  /** The process dies, and is started again `downMs` later. Of what was not synced a part from none (0) to all (1) is kept. */
  | { readonly kind: 'crash'; readonly step: number; readonly node?: string; readonly kept: number; readonly downMs: number }
  /** Each sync takes `ms`. */
  | { readonly kind: 'slow-disk'; readonly step: number; readonly node?: string; readonly ms: number; readonly forMs: number }
  /** Nothing can be written. */
  | { readonly kind: 'full-disk'; readonly step: number; readonly node?: string; readonly forMs: number }
  /** Somebody sets the clock: forward, or back when `ms` is negative. */
  | { readonly kind: 'clock-jump'; readonly step: number; readonly node?: string; readonly ms: number }
  /** The next calls of models fail. */
  | { readonly kind: 'failing-model'; readonly step: number; readonly node?: string; readonly calls: number }
  /** The process is asked to stop, as for a deploy, and is started again `downMs` after it has. */
  | { readonly kind: 'restart'; readonly step: number; readonly node?: string; readonly downMs: number }

export type NetworkFault =
  /** Each message between nodes takes up to `ms` more. */
  | { readonly kind: 'delay'; readonly step: number; readonly ms: number; readonly forMs: number }
  /** A share of the messages, from none (0) to all (1), never arrives. */
  | { readonly kind: 'loss'; readonly step: number; readonly share: number; readonly forMs: number }
  /** A share of the messages arrives twice or three times, at different moments. */
  | { readonly kind: 'duplication'; readonly step: number; readonly share: number; readonly forMs: number }
  /** A node is cut off, in both directions: from one other, or from all. */
  | { readonly kind: 'partition'; readonly step: number; readonly node: string; readonly from?: string; readonly forMs: number }

/** How many faults of each kind a run has at most; when, how and whom they strike is the seed's to say. */
export interface Faults {
  readonly crashes?: number
  readonly slowDisks?: number
  readonly fullDisks?: number
  readonly clockJumps?: number
  readonly failingModels?: number
  /** Between several nodes. */
  readonly delays?: number
  readonly losses?: number
  readonly duplications?: number
  readonly partitions?: number
  /** Polite ends, unlike crashes: what is under way may finish. */
  readonly restarts?: number
}

/** Steps between two faults of a kind, on average: seeds differ in it, since some faults hurt only in quick succession. */
const PACES = [8, 40, 200]

/** One fault in so many strikes all nodes at once, as a power cut does. */
const ONE_FOR_ALL = 10

type Make = (step: number, random: () => number, some: () => string) => Fault

/** New ones come last, so that the others are planned as they always were. */
const KINDS: readonly (readonly [keyof Faults, Make])[] = [
  ['crashes', (step, random) => ({ kind: 'crash', step, kept: hundredth(random()), downMs: whole(random(), 500) })],
  ['slowDisks', (step, random) => ({ kind: 'slow-disk', step, ms: 1 + whole(random() ** 3, 20_000), forMs: whole(random(), 20_000) })],
  ['fullDisks', (step, random) => ({ kind: 'full-disk', step, forMs: 1 + whole(random(), 10_000) })],
  ['clockJumps', (step, random) => ({ kind: 'clock-jump', step, ms: whole(random() * 2 - 1, 7_200_000) })],
  ['failingModels', (step, random) => ({ kind: 'failing-model', step, calls: 1 + whole(random(), 5) })],
  ['delays', (step, random) => ({ kind: 'delay', step, ms: 1 + whole(random() ** 3, 20_000), forMs: whole(random(), 20_000) })],
  ['losses', (step, random) => ({ kind: 'loss', step, share: hundredth(random()), forMs: whole(random(), 10_000) })],
  ['duplications', (step, random) => ({ kind: 'duplication', step, share: hundredth(random()), forMs: whole(random(), 20_000) })],
  ['partitions', (step, random, some) => partition(step, some(), random() < 0.5 ? some() : '', whole(random() ** 2, 60_000))],
  ['restarts', (step, random) => ({ kind: 'restart', step, downMs: whole(random(), 500) })],
]

const partition = (step: number, node: string, from: string, forMs: number): Fault => ({ kind: 'partition', step, node, ...(from !== '' && from !== node && { from }), forMs })

/** Which kinds strike the network, and no node. */
export const isOfNetwork = (fault: Fault): fault is NetworkFault => ['delay', 'loss', 'duplication', 'partition'].includes(fault.kind)

/** `nodes` has the names of several; one without a name is never named. */
export function plan(faults: Faults, random: () => number, nodes?: readonly string[]): Fault[] {
  const planned: Fault[] = []
  const some = (): string => nodes?.[whole(random(), nodes.length)] ?? ''
  const aimed = (fault: Fault): Fault => (nodes === undefined || isOfNetwork(fault) || whole(random(), ONE_FOR_ALL) === 0 ? fault : { ...fault, node: some() })
  for (const [kind, make] of KINDS) {
    const pace = PACES[Math.floor(random() * PACES.length)] as number
    let step = 0
    for (let n = 0; n < (faults[kind] ?? 0); n++) planned.push(aimed(make((step += 1 + whole(random() * 2, pace)), random, some)))
  }
  return planned.toSorted((a, b) => a.step - b.step)
}

/** Throws `InvalidDefinition` for a fault that could strike nothing. */
export function checkFaults(faults: readonly Fault[], nodes: readonly string[] | undefined): void {
  for (const fault of faults) {
    const named = [...('node' in fault ? [fault.node] : []), ...('from' in fault ? [fault.from] : [])]
    const stranger = named.find((name) => name !== undefined && nodes?.includes(name) !== true)
    if (stranger !== undefined) throw new TroupeError('InvalidDefinition', `${JSON.stringify(fault)} is for ${stranger}`, nodes === undefined ? "name the nodes: simulate({ nodes: ['a', 'b'], … })" : `one of ${nodes.join(', ')}`)
    if (nodes === undefined && isOfNetwork(fault)) throw new TroupeError('InvalidDefinition', `a ${fault.kind} strikes the network, and one process has none`, "name several nodes: simulate({ nodes: ['a', 'b'], … })")
  }
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
