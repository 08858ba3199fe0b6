// One troupe on several nodes, under crashes and a network that does its worst: what is promised holds between nodes as it does within one.
import { expect, test } from 'vitest'
import { simulate, type Fault, type Faults, type SimulationOptions, type SimulationReport } from 'troupe/testing'
import { bank } from './bank.js'
import { clerks, offices } from './clerks.js'
import { decisions } from './decisions.js'
import { errands, type Errands } from './errands.js'
import { floods } from './floods.js'
import { letters } from './letters.js'
import { orders } from './orders.js'
import { readings, type Readings } from './readings.js'
import { rounds } from './round.js'
import { sleepers } from './sleepers.js'

const SEEDS = Number(process.env['TROUPE_SEEDS'] ?? 12)
const FROM = Number(process.env['TROUPE_SEED'] ?? 1)
const timeout = 60_000 + 500 * SEEDS

const NODES = ['a', 'b', 'c']
const NETWORK: Faults = { delays: 2, losses: 2, duplications: 2, partitions: 3 }
const ALL: Faults = { ...NETWORK, crashes: 4, slowDisks: 1, fullDisks: 1, clockJumps: 1 }

/** Neighbours by number are on different nodes. */
const place = (address: string): string => NODES[(Number(/\d+$/.exec(address)?.[0] ?? 0) + address.length) % NODES.length] as string

type Script<World> = Omit<SimulationOptions<World>, 'seed' | 'faults'>

async function seeds<World>(script: Script<World>, faults: Faults, seen?: (report: SimulationReport<World>) => void): Promise<number> {
  let lives = 0
  for (let seed = FROM; seed < FROM + SEEDS; seed++) {
    const report = await simulate({ nodes: NODES, place, ...script, seed, faults })
    lives += report.lives - NODES.length
    seen?.(report)
  }
  return lives
}

test(`a bank whose accounts are on three nodes, under ${SEEDS} seeds: money is conserved, each move is made once and in order`, { timeout }, async () => {
  await seeds(bank(5), NETWORK)
  expect(await seeds(bank(5), ALL)).toBeGreaterThan(SEEDS)
})

test(`letters between nodes under ${SEEDS} seeds: durable ones come once and in order, volatile ones at most once and in order`, { timeout }, async () => {
  expect(await seeds(letters(5), ALL)).toBeGreaterThan(SEEDS)
})

test(`volatile asks between nodes under ${SEEDS} seeds: each is run at most once, and its asker learns how it went`, { timeout }, async () => {
  const outcomes = new Set<string>()
  const seen = (report: SimulationReport<Errands>): void => report.world.outcomes.forEach((outcome) => outcomes.add(outcome))
  expect(await seeds(errands(30), ALL, seen)).toBeGreaterThan(SEEDS)
  expect([...outcomes]).toEqual(expect.arrayContaining(['done', 'Interrupted', 'DeadlineExceeded', 'Cancelled']))
})

test(`streams between nodes under ${SEEDS} seeds: each chunk in its place, or an end that says why, and no producer is left behind`, { timeout }, async () => {
  const ends = new Set<string>()
  const seen = (report: SimulationReport<Readings>): void => report.world.ends.forEach((end) => ends.add(end))
  expect(await seeds(readings(12), ALL, seen)).toBeGreaterThan(SEEDS)
  expect([...ends]).toEqual(expect.arrayContaining(['read', 'left', 'Interrupted']))
})

test(`more mail than small mailboxes hold, and watchers elsewhere, under ${SEEDS} seeds: who sends waits or is told, and every wait ends`, { timeout }, async () => {
  expect(await seeds(floods(4), ALL)).toBeGreaterThan(SEEDS)
})

test(`durable clerks who ask volatile desks elsewhere, and publish, under ${SEEDS} seeds: served and printed once, and every ask has an outcome`, { timeout }, async () => {
  expect(await seeds({ ...clerks(5), place: offices }, ALL)).toBeGreaterThan(SEEDS)
  expect(await seeds({ ...clerks(5), place: offices }, { restarts: 4, partitions: 2, losses: 2 })).toBeGreaterThan(SEEDS)
})

test(`durable charts that answer durable askers elsewhere much later, under ${SEEDS} seeds: each gets its own answer, and who waits no more is heard of`, { timeout }, async () => {
  let left = 0
  await seeds(decisions(5), NETWORK, ({ world }) => (left += world.left.length))
  expect(left).toBeGreaterThan(0)
  expect(await seeds(decisions(5), { ...ALL, restarts: 2 })).toBeGreaterThan(SEEDS)
})

test(`nodes without a store under ${SEEDS} seeds: an ask is run at most once and learns its outcome, a stream comes in order or ends`, { timeout }, async () => {
  expect(await seeds({ ...errands(30), store: false }, ALL)).toBeGreaterThan(SEEDS)
  expect(await seeds({ ...readings(12), store: false }, { ...NETWORK, crashes: 4, restarts: 2 })).toBeGreaterThan(SEEDS)
})

test(`nodes that are started again one after the other, as for a deploy, under ${SEEDS} seeds`, { timeout }, async () => {
  const deploys: Faults = { restarts: 4, crashes: 1, losses: 1, duplications: 1, partitions: 1 }
  expect(await seeds(bank(5), deploys)).toBeGreaterThan(SEEDS)
  expect(await seeds(letters(4), deploys)).toBeGreaterThan(SEEDS)
  await seeds(readings(8), deploys)
})

test(`durable charts, long orders and sleepers on three nodes under ${SEEDS} seeds`, { timeout }, async () => {
  expect(await seeds(rounds(3), ALL)).toBeGreaterThan(SEEDS)
  expect(await seeds(orders(4, false), ALL)).toBeGreaterThan(SEEDS)
  // Sleepers look at the clock, so nobody sets it.
  expect(await seeds(sleepers(6), { ...ALL, clockJumps: 0 })).toBeGreaterThan(SEEDS)
})

/** Each found a bug once. */
test.each([
  ['a polite end was taken for the outcome of an ask', 5, [{ kind: 'restart', step: 8, downMs: 486, node: 'a' }]],
  ['a node with an ask elsewhere did not notice that it had been given up there', 13, [
    { kind: 'slow-disk', step: 7, ms: 10_343, forMs: 19_360, node: 'a' }, { kind: 'crash', step: 14, kept: 0.25, downMs: 110 }, { kind: 'duplication', step: 15, share: 0.34, forMs: 8_423 },
    { kind: 'delay', step: 16, ms: 8_400, forMs: 2_106 }, { kind: 'loss', step: 18, share: 0.79, forMs: 5_741 }, { kind: 'delay', step: 78, ms: 190, forMs: 2_387 },
    { kind: 'partition', step: 290, node: 'c', forMs: 50_100 }, { kind: 'partition', step: 697, node: 'c', forMs: 26_894 },
  ]],
] satisfies readonly (readonly [string, number, readonly Fault[]])[])('%s', async (_, seed, faults) => {
  const { steps } = await simulate({ ...clerks(5), nodes: NODES, place: offices, seed, faults })
  expect(steps).toBeGreaterThan(0)
})
