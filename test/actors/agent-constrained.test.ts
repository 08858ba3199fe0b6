// A model that writes calls and answers as JSON, and what a reader sees of it while it writes.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createTroupe, type Inference, type Kernels } from 'troupe'
import { agent, tool } from 'troupe/actors'

const look = tool({ name: 'look', input: z.object({}), run: () => 'sun' })

/** A host whose model writes this, so many characters at a time. */
function writes(texts: readonly string[], width: number): Kernels {
  const left = [...texts]
  return {
    infer: (): Inference => {
      const text = left.shift() ?? ''
      const pieces = Array.from({ length: Math.ceil(text.length / width) }, (_, at) => text.slice(at * width, (at + 1) * width))
      const whole = Promise.resolve({ text, value: JSON.parse(text) as unknown, usage: { promptTokens: 1, completionTokens: 1 }, finishReason: 'stop' })
      return Object.assign(whole, {
        async *[Symbol.asyncIterator]() {
          for (const piece of pieces) yield await Promise.resolve({ text: piece })
        },
      })
    },
  }
}

const ANSWER = 'Grüße 🎉, she said: "sun"\n\\o/ \\ud83c \u{1f389} 你好'
const json = `{"answer":${JSON.stringify(ANSWER).replace('\u{1f389} 你', String.raw`\ud83c\udf89 你`)}}`

test.each([1, 2, 3, 5, 7, 11, 1_000])('the answer streams as it grows, whatever its pieces of %d characters cut through', async (width) => {
  await using troupe = await createTroupe({ host: writes(['{"tool":"look","input":{}}', json], width) })
  const ref = troupe.spawn('assistant', agent({ model: 'embedded:generator', tools: [look] }))
  const texts: string[] = []
  let done: unknown
  for await (const chunk of ref.stream({ type: 'run', input: 'Weather?' })) {
    if (chunk.kind === 'text') texts.push(chunk.text)
    if (chunk.kind === 'done') done = chunk.text
  }
  expect(texts.join('')).toBe(ANSWER)
  expect(done).toBe(ANSWER)
  // No piece holds half a character.
  expect(texts.filter((text) => /[\uD800-\uDFFF]/u.test(text))).toEqual([])
  expect(texts.length).toBeGreaterThan(width < 11 ? 3 : 0)
})
