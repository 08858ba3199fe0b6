// A retriever that is killed while it takes documents in: `node retriever-killed.mjs <folder> <documents>`.
import { createTroupe } from 'troupe'
import { retriever } from 'troupe/actors'

const [folder, count] = process.argv.slice(2)
/** Vectors of the text itself, each call as slow as a small encoder. */
const vectorOf = (text) => {
  const vector = new Float32Array(16)
  for (const char of text) vector[char.charCodeAt(0) % 16]++
  const norm = Math.hypot(...vector)
  return vector.map((x) => x / norm)
}
let embedded = 0
const kernels = {
  infer: (task, model, texts) => {
    const answer = new Promise((resolve) => setTimeout(() => resolve(texts.map(vectorOf)), 5))
    embedded += texts.length
    return Object.assign(answer, { async *[Symbol.asyncIterator]() {} })
  },
}
const troupe = await createTroupe({ host: kernels })
const ref = troupe.spawn('retriever', retriever({ folder }))
const documents = Array.from({ length: Number(count) }, (_, i) => ({ id: `d${i}`, source: `d${i}.md`, text: `# Document ${i}\n\nIt tells of thing${i}.\n\n## More\n\nAnd of other${i} things.`, metadata: { n: i } }))
let last
for await (const progress of ref.stream({ type: 'ingest', documents }, { timeout: '60s' })) {
  last = progress
  process.stdout.write(`${JSON.stringify(progress)}\n`)
}
const found = []
for (const i of [0, Math.floor(documents.length / 2), documents.length - 1]) {
  const { passages } = await ref.ask({ type: 'search', query: `thing${i}`, limit: 1 })
  found.push(passages[0]?.source)
}
const { passages } = await ref.ask({ type: 'search', query: 'things', limit: 10_000 })
process.stdout.write(`${JSON.stringify({ done: last, embedded, found, passages: passages.length, distinct: new Set(passages.map(({ document, text }) => `${document} ${text}`)).size })}\n`)
await troupe.stop()
