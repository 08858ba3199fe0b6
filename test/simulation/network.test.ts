// The simulated network: what it may do to a message, and that each fault does what it says, for as long as it says.
import { expect, test } from 'vitest'
import type { Transport } from '../../src/runtime/transport/transport.js'
import { chance } from '../../src/testing/chance.js'
import { Loop } from '../../src/testing/loop.js'
import { Network } from '../../src/testing/network.js'

interface Ends {
  readonly loop: Loop
  readonly network: Network
  readonly lines: string[]
  /** What arrived, as `from > to: first byte at ms`. */
  readonly arrived: string[]
  readonly join: (name: string) => { readonly transport: Transport; end(): void }
  readonly rest: (until?: number) => void
}

function ends(seed: number): Ends {
  const loop = new Loop(chance(seed))
  const lines: string[] = []
  const arrived: string[] = []
  const network = new Network(loop, chance(seed + 1_000), (text) => lines.push(text))
  const join = (name: string): { readonly transport: Transport; end(): void } => {
    const way = network.open(name)
    way.transport.open((from, bytes) => arrived.push(`${from} > ${name}: ${bytes[0]} at ${loop.elapsed}`))
    return way
  }
  const rest = (until = Infinity): void => {
    while ((network.next ?? Infinity) <= until && loop.step(true));
    if (until !== Infinity) loop.elapsed = until
  }
  return { loop, network, lines, arrived, join, rest }
}
const numbers = (count: number): Uint8Array[] => Array.from({ length: count }, (_, n) => Uint8Array.of(n))
const bodies = (arrived: readonly string[]): string[] => arrived.map((line) => line.replace(/ at .*/, ''))
const seeds = Array.from({ length: 20 }, (_, i) => i + 1)

test('without faults each message arrives once, within milliseconds, and not always in order', () => {
  const orders = new Set<string>()
  for (const seed of seeds) {
    const { join, rest, arrived, loop } = ends(seed)
    const { transport } = join('a')
    join('b')
    for (const bytes of numbers(10)) transport.send('b', bytes)
    rest()
    expect(bodies(arrived).toSorted()).toEqual(numbers(10).map(([n]) => `a > b: ${n}`))
    expect(loop.elapsed).toBeLessThanOrEqual(5)
    orders.add(bodies(arrived).join())
  }
  expect(orders.size).toBe(seeds.length)
})

test('sender and receivers share no bytes, not even those of two copies', () => {
  const { network, rest } = ends(1)
  const got: Uint8Array[] = []
  network.open('b').transport.open((_, bytes) => {
    got.push(bytes.slice())
    bytes.fill(9)
  })
  network.suffer({ kind: 'duplication', step: 0, share: 1, forMs: 1_000 })
  const sent = Uint8Array.of(1, 2, 3)
  network.open('a').transport.send('b', sent)
  sent.fill(7)
  rest()
  expect(got.length).toBeGreaterThan(1)
  for (const bytes of got) expect([...bytes]).toEqual([1, 2, 3])
})

test('duplication lets a message come twice or three times, at moments of their own', () => {
  const times = new Set<number>()
  for (const seed of seeds) {
    const { join, rest, arrived, network } = ends(seed)
    const { transport } = join('a')
    join('b')
    network.suffer({ kind: 'duplication', step: 0, share: 1, forMs: 1_000 })
    transport.send('b', Uint8Array.of(1))
    rest()
    times.add(arrived.length)
  }
  expect(times).toEqual(new Set([2, 3]))
})

test.each([[1, 0, 0], [0.5, 1, 199], [0, 200, 200]])('a loss of %f lets between %i and %i of 200 through, while it lasts', (share, least, most) => {
  const { join, rest, arrived, network, loop } = ends(3)
  const { transport } = join('a')
  join('b')
  network.suffer({ kind: 'loss', step: 0, share, forMs: 100 })
  for (const bytes of numbers(200)) transport.send('b', bytes)
  rest(100)
  expect(arrived.length).toBeGreaterThanOrEqual(least)
  expect(arrived.length).toBeLessThanOrEqual(most)
  const before = arrived.length
  expect(loop.elapsed).toBe(100)
  transport.send('b', Uint8Array.of(1))
  rest()
  expect(arrived.length).toBe(before + 1)
})

test('a delay holds messages up, some more and some less', () => {
  const { join, rest, loop, arrived, network } = ends(4)
  const { transport } = join('a')
  join('b')
  network.suffer({ kind: 'delay', step: 0, ms: 10_000, forMs: 100 })
  for (const bytes of numbers(100)) transport.send('b', bytes)
  rest()
  const at = arrived.map((line) => Number(line.split(' at ')[1]))
  expect(at).toHaveLength(100)
  expect(Math.min(...at)).toBeLessThan(2_000)
  expect(Math.max(...at)).toBeGreaterThan(8_000)
  expect(loop.elapsed).toBeLessThanOrEqual(10_005)
})

test.each([
  [{ node: 'a' }, ['b > c', 'c > b']],
  [{ node: 'a', from: 'b' }, ['a > c', 'b > c', 'c > a', 'c > b']],
])('a partition of %o lets only %o through, in both directions, until it is over', (whom, through) => {
  const { join, rest, arrived, network, lines } = ends(5)
  const ways = ['a', 'b', 'c'].map((name) => [name, join(name).transport] as const)
  const all = (): string[] => {
    arrived.length = 0
    for (const [from, transport] of ways) for (const [to] of ways) if (to !== from) transport.send(to, Uint8Array.of(0))
    rest(40)
    return arrived.map((line) => line.split(':')[0] as string).toSorted()
  }
  network.suffer({ kind: 'partition', step: 0, ...whom, forMs: 40 })
  expect(all()).toEqual(through)
  expect(lines.filter((line) => line.endsWith('cut off'))).toHaveLength(6 - through.length)
  for (const [from, transport] of ways) for (const [to] of ways) if (to !== from) transport.send(to, Uint8Array.of(0))
  rest()
  expect(arrived).toHaveLength(through.length + 6)
})

test('what is under way when a partition begins is lost in it', () => {
  const { join, rest, arrived, network, lines } = ends(6)
  const { transport } = join('a')
  join('b')
  network.suffer({ kind: 'delay', step: 0, ms: 1_000, forMs: 1 })
  for (const bytes of numbers(20)) transport.send('b', bytes)
  network.suffer({ kind: 'partition', step: 0, node: 'b', forMs: 500 })
  rest()
  expect(arrived.length).toBeGreaterThan(0)
  expect(arrived.length + lines.filter((line) => line.endsWith('lost, cut off')).length).toBe(20)
  for (const line of arrived) expect(Number(line.split(' at ')[1])).toBeGreaterThanOrEqual(500)
})

test('a process that died gets nothing and sends nothing; what it had sent arrives, and its next life may get what was for it', () => {
  const { join, rest, arrived, network, lines } = ends(7)
  const [a, b] = [join('a'), join('b')]
  network.suffer({ kind: 'delay', step: 0, ms: 1_000, forMs: 1 })
  for (const bytes of numbers(20)) a.transport.send('b', bytes)
  for (const bytes of numbers(20)) b.transport.send('a', bytes)
  b.end()
  b.transport.send('a', Uint8Array.of(99))
  rest(400)
  expect(arrived.filter((line) => line.startsWith('a > b'))).toEqual([])
  const lost = lines.filter((line) => line.endsWith('b does not listen')).length
  expect(lost).toBeGreaterThan(0)
  join('b')
  // The end of the former life is not the end of this one.
  b.end()
  rest()
  expect(arrived.filter((line) => line.startsWith('a > b')).length).toBe(20 - lost)
  expect(bodies(arrived.filter((line) => line.startsWith('b > a'))).toSorted()).toEqual(numbers(20).map(([n]) => `b > a: ${n}`).toSorted())
})

test('nothing is received after a transport was closed', async () => {
  const { join, rest, arrived } = ends(8)
  const [a, b] = [join('a'), join('b')]
  a.transport.send('b', Uint8Array.of(1))
  await b.transport.close()
  rest()
  expect(arrived).toEqual([])
})
