// Messages of several parts: images and sounds become text, and enter where text does.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { actor, createTroupe, type Ref, type Troupe } from 'troupe'
import { createHost, type Host } from 'troupe/models'
import { dialogue, flow, flows, generator, image, Image, Audio, memoryBlobs, nlu, perception, Perception, retriever, type Part } from 'troupe/actors'

const receipt: Part = { type: 'image', blob: new Uint8Array(readFileSync(new URL('../fixtures/receipts/english.png', import.meta.url))) }

describe('perception', () => {
  let troupe: Troupe
  const none = (): never => {
    throw new Error('not asked for here')
  }
  const ears = actor(Audio, { on: { transcribe: ({ audio }) => ({ text: `heard ${audio instanceof Uint8Array ? audio.length : audio.bytes}`, said: [], lengthMs: 1 }), detect: none, listen: none, dictate: none, speak: none, embed: none, extract: none } })
  const eyes = actor(Image, { on: { read: () => ({ text: ' ', lines: [], width: 1, height: 1 }), caption: () => ({ text: 'a cat' }), classify: none, embed: none, frames: none } })
  beforeAll(async () => {
    troupe = await createTroupe()
  })
  afterAll(async () => troupe.stop())

  test('gives each part as text, in their order', async () => {
    const ref = troupe.spawn('perception', perception({ image: troupe.spawn('eyes', eyes), audio: troupe.spawn('ears', ears), caption: true }))
    const { text, parts } = await ref.ask({ type: 'perceive', parts: [{ type: 'text', text: 'look' }, { type: 'image', blob: new Uint8Array(1) }, { type: 'audio', blob: { blob: `sha256:${'0'.repeat(64)}`, bytes: 7 } }] })
    expect(text).toBe('look\na cat\nheard 7')
    expect(parts.map(({ how }) => how)).toEqual(['text', 'caption', 'transcript'])
  })

  test('says which sense is missing, and refuses what is no part', async () => {
    const ref = troupe.spawn('blind', perception())
    await expect(ref.ask({ type: 'perceive', parts: [receipt] })).rejects.toMatchObject({ code: 'InvalidMessage', message: expect.stringContaining('has no image actor') as string })
    await expect(ref.ask({ type: 'perceive', parts: [{ type: 'smell' } as unknown as Part] })).rejects.toMatchObject({ code: 'InvalidMessage' })
    const deaf = troupe.spawn('deaf', nlu())
    await expect(deaf.ask({ type: 'parse', text: 'x', parts: [receipt] })).rejects.toMatchObject({ code: 'InvalidMessage', hint: expect.stringContaining('perception') as string })
  })
})

describe('a receipt by claim check', () => {
  const blobs = memoryBlobs()
  let host: Host
  let troupe: Troupe
  let claim: Part
  let senses: Ref<(typeof Perception)['specs']>
  const open = (): Ref<(typeof Perception)['specs']> => troupe.spawn('perception', perception({ image: troupe.spawn('image', image({ blobs })) }))
  beforeAll(async () => {
    host = await createHost()
    troupe = await createTroupe({ host })
    senses = open()
    claim = { type: 'image', blob: await blobs.put((receipt as { blob: Uint8Array }).blob) }
  })
  afterAll(async () => {
    await troupe.stop()
    await host.stop()
  })

  test('is understood: entities stand in the text that was read', async () => {
    const understanding = troupe.spawn('nlu', nlu({ perception: senses, entities: [{ type: 'receipt', pattern: 'Receipt No\\. ?(\\d+)' }] }))
    const { text = '', entities } = await understanding.ask({ type: 'parse', text: 'Here is my receipt:', parts: [claim] })
    expect(text).toMatch(/^Here is my receipt:\nCORNER BAKERY/)
    const found = entities.find(({ type }) => type === 'receipt')
    expect(text.slice(found?.start, found?.end)).toBe('004817')
    expect(entities.filter(({ type }) => type === 'money').map(({ number }) => number)).toContain(14.69)
  })

  test('that is damaged is refused with its reason, whoever passes it on, and the next is read', async () => {
    const broken: Part = { type: 'image', blob: (receipt as { blob: Uint8Array }).blob.subarray(0, 2000) }
    const talk = troupe.keyed('broken-talk', dialogue({ nlu: troupe.spawn('broken-nlu', nlu()), retriever: troupe.spawn('broken-shelf', retriever()), generator: troupe.spawn('broken-writer', generator()), perception: senses }))('one')
    const refused = { code: 'InvalidMessage', message: expect.stringContaining('damaged or cut off') as string }
    await expect(senses.ask({ type: 'perceive', parts: [claim, broken] })).rejects.toMatchObject(refused)
    await expect(troupe.spawn('broken-parse', nlu({ perception: senses })).ask({ type: 'parse', text: '', parts: [broken] })).rejects.toMatchObject(refused)
    await expect((async () => { for await (const chunk of talk.stream({ type: 'say', text: '', parts: [broken] })) expect(chunk).toBeUndefined() })()).rejects.toMatchObject(refused)
    await expect(senses.ask({ type: 'perceive', parts: [{ type: 'image', blob: { blob: `sha256:${'0'.repeat(64)}`, bytes: 9 } }] })).rejects.toMatchObject({ code: 'Gone' })
    expect((await senses.ask({ type: 'perceive', parts: [claim] })).text).toContain('BAKERY')
  })

  test('fills the slot of a flow', async () => {
    const refund = flow({ name: 'refund', title: 'get a refund', slots: { receipt: { ask: 'Which receipt?', pattern: '00\\d{4}' } }, run: ({ receipt: number }) => number, done: 'Refunded {result}.' })
    const understanding = troupe.spawn('flow-nlu', nlu({ examples: ['refund me', 'I want a refund', 'money back please', 'give me my money back'].map((text) => ({ text, intent: 'refund' })).concat(['hello', 'hi there', 'good morning', 'hey'].map((text) => ({ text, intent: 'greet' }))) }))
    const talk = troupe.keyed('flows', flows({ nlu: understanding, perception: senses, flows: [refund] }))('one')
    let said = ''
    for await (const chunk of talk.stream({ type: 'say', text: 'I want a refund' })) if (chunk.kind === 'text') said += chunk.text
    for await (const chunk of talk.stream({ type: 'say', text: '', parts: [claim] })) if (chunk.kind === 'text') said += ` ${chunk.text}`
    expect(said).toContain('004817')
  })

  test('asks what stands on a picture', async () => {
    const shelf = troupe.spawn('retriever', retriever())
    await shelf.ask({ type: 'add', documents: [{ id: 'vat', source: 'vat.md', text: '# VAT\n\nVAT is contained in every price of the bakery.' }] })
    const talk = troupe.keyed('dialogue', dialogue({ nlu: troupe.spawn('talk-nlu', nlu()), retriever: shelf, generator: troupe.spawn('generator', generator()), perception: senses, answerMin: 0.01, quoteMin: 0 }))('one')
    const sources: string[] = []
    for await (const chunk of talk.stream({ type: 'say', text: 'Is VAT contained in the price?', parts: [claim] })) if (chunk.kind === 'done') sources.push(...chunk.sources.map(({ source }) => source))
    expect(sources).toEqual(['vat.md'])
  })
})
