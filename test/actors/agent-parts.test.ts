// Tasks with images and sounds: as they are for a model that sees, as text for one that does not.
import { readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { actor, createTroupe, type Troupe } from 'troupe'
import { agent, memoryBlobs, Perception, type AgentOptions, type Part } from 'troupe/actors'
import { createHost } from 'troupe/models'
import { scriptedOpenAI, type ScriptedOpenAI } from '../scripted-openai.js'

const png = new Uint8Array(readFileSync(new URL('../fixtures/receipts/english.png', import.meta.url)))
const url = `data:image/png;base64,${Buffer.from(png).toString('base64')}`

let agents = 0
let provider: ScriptedOpenAI
let troupe: Troupe
afterEach(async () => {
  await troupe.stop()
  await provider.close()
})

async function ask(parts: readonly Part[], options: AgentOptions, input = 'What is this?'): Promise<{ text: string; content: unknown }> {
  const ref = troupe.spawn(`assistant-${++agents}`, agent({ model: provider.model, ...options }))
  const { text } = await ref.ask({ type: 'answer', input, parts })
  return { text, content: provider.asked.at(-1)?.messages.at(-1)?.content }
}
async function open(): Promise<void> {
  provider = await scriptedOpenAI(() => ({ text: 'A receipt.' }))
  troupe = await createTroupe({ log: () => {} })
}
const perceives = actor(Perception, {
  on: {
    perceive: ({ parts }) => {
      const perceived = parts.map((part) => ({ text: part.type === 'text' ? part.text : `what the ${part.type} says`, how: 'read' as const }))
      return { text: perceived.map(({ text }) => text).join('\n'), parts: perceived }
    },
  },
})

test('a model of a provider is given images as they are, bytes or blobs, beside the text', async () => {
  await open()
  const blobs = memoryBlobs()
  const { content, text } = await ask([{ type: 'text', text: 'From Rome.' }, { type: 'image', blob: png }, { type: 'image', blob: await blobs.put(png) }], { blobs })
  expect(text).toBe('A receipt.')
  expect(content).toEqual([{ type: 'text', text: 'What is this?\nFrom Rome.' }, { type: 'image_url', image_url: { url } }, { type: 'image_url', image_url: { url } }])
})

test('with a perception images become text, and sounds do in any case', async () => {
  await open()
  const perception = troupe.spawn('perception', perceives)
  expect((await ask([{ type: 'image', blob: png }], { perception })).content).toBe('What is this?\nwhat the image says')
  const { content } = await ask([{ type: 'image', blob: png }, { type: 'audio', blob: new Uint8Array(3) }], { perception, sees: true })
  expect(content).toEqual([{ type: 'text', text: 'What is this?\nwhat the audio says' }, { type: 'image_url', image_url: { url } }])
})

test('what stands in an image is looked at by the guardrail like all that comes in', async () => {
  await open()
  const perception = troupe.spawn('perception', perceives)
  const looked: string[] = []
  await ask([{ type: 'image', blob: png }], { perception, guard: { input: (text) => (looked.push(text), { verdict: 'allow' }) } })
  expect(looked).toEqual(['What is this?\nwhat the image says'])
})

test.each([
  ['a sound and nobody who hears it', { type: 'audio', blob: new Uint8Array(3) }, 'nobody who perceives'],
  ['a picture in no form that is known', { type: 'image', blob: new Uint8Array(30) }, 'neither PNG'],
  ['a blob and no store of blobs', { type: 'image', blob: { blob: `sha256:${'0'.repeat(64)}`, bytes: 7 } }, 'no store of blobs'],
] as const)('%s: the run is refused, and no model is asked', async (_, part, why) => {
  await open()
  await expect(ask([part], {})).rejects.toThrow(why)
  expect(provider.asked).toHaveLength(0)
})

test('a model that runs here is given no pictures', async () => {
  await open()
  const host = await createHost()
  await expect(host.generate('embedded:generator', { messages: [{ role: 'user', content: 'What is this?', images: [{ mediaType: 'image/png', data: png }] }] })).rejects.toMatchObject({ code: 'InvalidMessage' })
  await host.stop()
})
