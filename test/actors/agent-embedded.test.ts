// The embedded generator was never taught to call tools: what it writes is held to one of the tools or an answer, so its
// calls parse and are as the tools take them. What it chooses is hardly ever sensible, and nothing here says so.
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { createTroupe, type Troupe } from 'troupe'
import { agent, tool, type AgentChunk } from 'troupe/actors'

let troupe: Troupe
afterEach(() => troupe.stop())

const colour = tool({ name: 'paint', input: z.object({ colour: z.enum(['red', 'green']), coats: z.number().int().min(1).max(9) }), run: ({ colour, coats }) => `${coats} of ${colour}` })

test('the embedded model makes calls that parse and are as the tool takes them, or answers', { timeout: 60_000 }, async () => {
  troupe = await createTroupe()
  const ref = troupe.spawn('painter', agent({ tools: [colour], maxTokens: 48, temperature: 0, budget: { steps: 3 } }))
  const chunks: AgentChunk[] = []
  for (const input of ['Paint the door red.', 'Hello']) for await (const chunk of ref.stream({ type: 'run', input })) chunks.push(chunk)
  const ends = chunks.flatMap((chunk) => (chunk.kind === 'done' ? [chunk.finish] : []))
  expect(ends).toHaveLength(2)
  expect(ends.every((finish) => finish === 'stop' || finish === 'steps')).toBe(true)
  const results = chunks.flatMap((chunk) => (chunk.kind === 'tool-result' ? [chunk] : []))
  expect(results.length).toBeGreaterThan(0)
  for (const { ok, output } of results) expect([ok, output]).toEqual([true, expect.stringMatching(/^[1-9] of (red|green)$/)])
})

test('its structured answer is as the schema says, and its text streams', { timeout: 60_000 }, async () => {
  troupe = await createTroupe()
  const ref = troupe.spawn('clerk', agent({ output: z.object({ days: z.number().int().min(0).max(99) }), maxTokens: 32 }))
  const { value, finish, usage } = await ref.ask({ type: 'answer', input: 'A parcel can be returned within 30 days. How many days?' })
  expect(finish).toBe('stop')
  expect(z.object({ days: z.number().int().min(0).max(99) }).safeParse(value).success).toBe(true)
  expect(usage.completionTokens).toBeGreaterThan(3)
  const talker = troupe.spawn('talker', agent({ instructions: 'Answer briefly.' }))
  const kinds: string[] = []
  for await (const chunk of talker.stream({ type: 'run', input: 'Hello!' })) kinds.push(chunk.kind)
  expect([kinds[0], kinds.at(-2), kinds.at(-1)]).toEqual(['text', 'usage', 'done'])
})
