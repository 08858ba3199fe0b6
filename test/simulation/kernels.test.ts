// Models in simulations: scripted, failing, on tape.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, protocol, request, stream } from 'troupe'
import { cassette, scriptedKernels, simulate } from 'troupe/testing'

const Echo = protocol({ loud: request(z.object({ text: z.string() }), z.string()), spell: stream(z.object({ text: z.string() }), z.string()) })
const echo = actor(Echo, {
  on: {
    loud: async ({ text }, me) => String(await me.infer('shout', 'voice', { text })),
    spell: async function* ({ text }, me) {
      for await (const letter of me.infer('letters', 'voice', { text })) yield String(letter)
    },
  },
})

test('a cassette plays back what it recorded, values that JSON cannot hold too, and asks no model for it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'troupe-cassette-'))
  const file = join(folder, 'calls.jsonl')
  let calls = 0
  const model = scriptedKernels({ shout: ({ text }: { text: string }) => `${text.toUpperCase()} ${++calls}`, letters: ({ text }: { text: string }) => text.split(''), embed: () => [new Float32Array([1.5, -2])] })
  const tape = await cassette(file, { record: model })
  const play = async (host: Awaited<ReturnType<typeof cassette>>): Promise<unknown> => {
    await using troupe = await createTroupe({ host })
    const ref = troupe.spawn('echo', echo)
    const heard = [await ref.ask({ type: 'loud', text: 'hey' }), await ref.ask({ type: 'loud', text: 'hey' }), await ref.ask({ type: 'loud', text: 'you' })]
    const letters: string[] = []
    for await (const letter of ref.stream({ type: 'spell', text: 'abc' })) letters.push(letter)
    return [heard, letters, await host.infer('embed', 'encoder', ['x'])]
  }
  const live = await play(tape)
  await tape.saved()
  expect(live).toEqual([['HEY 1', 'HEY 2', 'YOU 3'], ['a', 'b', 'c'], [new Float32Array([1.5, -2])]])
  expect((await readFile(file, 'utf8')).trim().split('\n')).toHaveLength(5)

  const again = await cassette(file)
  expect(await play(again)).toEqual(live)
  expect({ calls, played: again.played, recorded: again.recorded }).toEqual({ calls: 3, played: 5, recorded: 0 })
  expect(() => again.infer('shout', 'voice', { text: 'other' })).toThrow(expect.objectContaining({ code: 'Gone' }))
  await expect(cassette(join(folder, 'none.jsonl'))).rejects.toMatchObject({ code: 'Gone' })
  await rm(folder, { recursive: true })
})

test('a simulation lets models fail, and its time stands still while one is at work', async () => {
  const shout = ({ text }: { text: string }): Promise<string> => new Promise((resolve) => setTimeout(() => resolve(text.toUpperCase()), 20))
  const outcomes: string[] = []
  const { steps } = await simulate({
    kernels: scriptedKernels({ shout }),
    cast: (troupe) => void troupe.spawn('echo', echo),
    faults: [{ kind: 'failing-model', step: 1, calls: 1 }],
    run: async (sim) => {
      const began = sim.now()
      const ask = (): Promise<string> => sim.ref(Echo, 'echo').ask({ type: 'loud', text: 'hey' })
      outcomes.push(await ask().catch((error: { code: string }) => error.code), await ask(), String(sim.now() - began))
    },
  })
  expect(outcomes).toEqual(['ActorFailed', 'HEY', '0'])
  expect(steps).toBeGreaterThan(0)
})
