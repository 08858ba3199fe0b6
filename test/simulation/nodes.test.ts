// Several simulated nodes: each with its own lives, disk and clock, and faults that strike the one they name.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { setup } from 'xstate'
import { actor, event, protocol, request, type TroupeError } from 'troupe'
import { simulate, type Fault } from 'troupe/testing'
import { bank, type Bank } from './bank.js'

const NODES = ['a', 'b', 'c']
const Till = protocol({ pay: request(z.object({ cents: z.number() }), z.number()), clock: request(null, z.number()) })
const till = actor(Till, {
  durable: true,
  state: () => ({ cents: 0 }),
  on: { pay: ({ cents }, me) => (me.state.cents += cents), clock: (_, me) => me.clock.now() },
})
/** `till/b` is on the node b. */
const byKey = (address: string): string => address.split('/')[1] ?? 'a'

test('each node is cast by its name, in each of its lives', async () => {
  const cast: string[] = []
  const report = await simulate({
    nodes: NODES,
    place: byKey,
    cast: (troupe, sim, node) => {
      troupe.keyed('till', till)
      cast.push(`${node} ${sim.node(node).lives}`)
    },
    faults: [{ kind: 'crash', step: 20, node: 'b', kept: 1, downMs: 100 }],
    run: async (sim) => {
      while (sim.node('b').lives === 1) await sim.sleep('1s')
      await sim.node('b').ref(Till, 'till/b').ask({ type: 'pay', cents: 1 })
    },
  })
  expect(cast.toSorted()).toEqual(['a 1', 'b 1', 'b 2', 'c 1'])
  expect(report.lives).toBe(4)
})

test('a crash without a node is a power cut for all, and each disk keeps what its node accepted', async () => {
  const paid: Record<string, number> = {}
  await simulate({
    nodes: NODES,
    place: byKey,
    cast: (troupe) => void troupe.keyed('till', till),
    faults: [{ kind: 'crash', step: 200, kept: 0, downMs: 100 }],
    run: async (sim) => {
      for (const [i, node] of sim.nodes.entries()) {
        await sim.insist(() => node.ref(Till, `till/${node.name}`).ask({ type: 'pay', cents: i + 1 }))
        expect(NODES.filter((name) => sim.node(name).committed(`till/${node.name}`) !== undefined)).toEqual([node.name])
      }
      while (sim.lives < 6) await sim.sleep('1s')
      for (const node of sim.nodes) paid[node.name] = await node.ref(Till, `till/${node.name}`).ask({ type: 'pay', cents: 0 })
    },
  })
  expect(paid).toEqual({ a: 1, b: 2, c: 3 })
})

test('a clock that is set is the clock of one node; the script keeps its own', async () => {
  const shown: number[] = []
  await simulate({
    nodes: NODES,
    place: byKey,
    cast: (troupe) => void troupe.keyed('till', till),
    faults: [{ kind: 'clock-jump', step: 1, node: 'b', ms: 3_600_000 }],
    run: async (sim) => {
      await sim.sleep('1s')
      const now = sim.now()
      for (const node of sim.nodes) shown.push(node.now() - now)
      shown.push((await sim.node('b').ref(Till, 'till/b').ask({ type: 'clock' })) >= now + 3_600_000 ? 1 : 0)
    },
  })
  expect(shown).toEqual([0, 3_600_000, 0, 1])
})

test('what no fault could strike is refused', async () => {
  const run = (faults: readonly Fault[], nodes?: readonly string[]): Promise<unknown> => simulate({ ...(nodes && { nodes }), cast: () => {}, run: () => {}, faults })
  const refused = { code: 'InvalidDefinition' }
  await expect(run([{ kind: 'loss', step: 1, share: 1, forMs: 1 }])).rejects.toMatchObject(refused)
  await expect(run([{ kind: 'crash', step: 1, node: 'a', kept: 1, downMs: 1 }])).rejects.toMatchObject(refused)
  await expect(run([{ kind: 'crash', step: 1, node: 'd', kept: 1, downMs: 1 }], NODES)).rejects.toMatchObject(refused)
  await expect(run([{ kind: 'partition', step: 1, node: 'a', from: 'd', forMs: 1 }], NODES)).rejects.toMatchObject(refused)
  await expect(simulate({ cast: () => {}, run: () => {}, faults: { partitions: 1 } })).rejects.toMatchObject(refused)
  await expect(simulate({ nodes: NODES, cast: () => {}, run: (sim) => void sim.troupe })).rejects.toMatchObject({ code: 'SimulationFailed' })
})

test('faults between nodes are planned after those of nodes, which stay as they were', async () => {
  const faults = { crashes: 3, slowDisks: 2, fullDisks: 1, clockJumps: 2, failingModels: 1 }
  const planned = async (more: object, nodes?: readonly string[]): Promise<readonly Fault[]> => (await simulate({ seed: 5, ...(nodes && { nodes }), cast: () => {}, run: () => {}, faults: { ...faults, ...more } })).faults
  const several = await planned({ delays: 2, losses: 2, duplications: 2, partitions: 4 }, NODES)
  expect(several.map(({ kind }) => kind).toSorted()).toEqual(['clock-jump', 'clock-jump', 'crash', 'crash', 'crash', 'delay', 'delay', 'duplication', 'duplication', 'failing-model', 'full-disk', 'loss', 'loss', 'partition', 'partition', 'partition', 'partition', 'slow-disk', 'slow-disk'])
  for (const fault of several) if ('node' in fault) expect(NODES).toContain(fault.node)
  for (const fault of await planned({})) expect(fault).not.toHaveProperty('node')
})

test('several nodes, their network and its faults are the same run for the same seed, byte for byte', async () => {
  const run = (seed: number) => simulate<Bank>({ ...bank(3), nodes: NODES, seed, faults: { crashes: 2, slowDisks: 1, fullDisks: 1, clockJumps: 1, delays: 1, losses: 1, duplications: 1, partitions: 1 } })
  const [first, again, other] = [await run(7), await run(7), await run(8)]
  expect(again.trace).toEqual(first.trace)
  expect(again.digest).toBe(first.digest)
  expect(other.digest).not.toBe(first.digest)
  expect(first.trace.some((line) => line.includes(' arrived'))).toBe(true)
})

test('a durable chart that ends without an answer tells its durable asker on another node', async () => {
  const Board = protocol({ decide: request(null, z.string()), close: event() })
  const board = setup({}).createMachine({ initial: 'on', on: { decide: { actions: () => {} } }, states: { on: { on: { close: 'off' } }, off: { type: 'final' } } })
  const Asker = protocol({ wonder: event(), told: request(null, z.array(z.string())) })
  const asker = actor(Asker, {
    durable: true,
    state: () => ({ told: [] as string[] }),
    on: {
      wonder: async (_, me) => void me.state.told.push(await me.ask(me.ref(Board, 'board'), { type: 'decide' }, { timeout: 'none' }).catch((error: unknown) => (error as TroupeError).code)),
      told: (_, me) => me.state.told,
    },
  })
  await simulate({
    nodes: ['a', 'b'],
    place: (address) => (address === 'board' ? 'b' : 'a'),
    cast: (troupe) => {
      troupe.spawn('board', actor(Board, board, { durable: true }))
      troupe.spawn('asker', asker)
    },
    run: async (sim) => {
      await sim.ref(Asker, 'asker').tell({ type: 'wonder' })
      await sim.sleep('1m')
      await sim.ref(Board, 'board').tell({ type: 'close' })
      expect(await sim.ref(Asker, 'asker').ask({ type: 'told' })).toEqual(['ActorFailed'])
    },
  })
})
