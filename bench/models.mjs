// Models in troupe beside plain transformers.js on the main thread and beside bare onnxruntime in two threads of its own.
// node --expose-gc bench/models.mjs [embed] [minilm] [loop] [streams] [prefix] [chat] [soak[=calls]]        (all but soak by default)
import { mkdirSync, cpSync, writeFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { alternate, compare, header, median, show } from './side-by-side.mjs'
import { encoderGraph } from '../test/models/onnx.mjs'

process.env.ORT_DISABLE_TELEMETRY = '1'
const folderOf = (name) => fileURLToPath(new URL(`../dist/models/embedded/${name}`, import.meta.url))
const SHORT = ['I would like to book a table for four people tonight', 'What is the status of my order', 'please cancel my reservation for tomorrow', 'How do I change the address on my account']
const texts = Array.from({ length: 1024 }, (_, i) => `${SHORT[i % 4]} number ${i}`)
const PASSAGES = '[1] Delivery: Orders are delivered within 3 to 5 working days.\n[2] Returns: You can return a parcel within 30 days of delivery.'
const chat = (i) => [{ role: 'user', content: `How long do I have to return parcel ${i}?` }, { role: 'context', content: PASSAGES }]
const END = 9
const WRITTEN = 64

/** Bare onnxruntime: the same tokenizer, batches of similar length, mean pooling, one core each; no queue, no callers. */
async function bareThread({ folder, graph }) {
  const { Tensor, InferenceSession } = await import('onnxruntime-node')
  const { AutoTokenizer, env } = await import('@huggingface/transformers')
  env.allowRemoteModels = false
  const tokenizer = await AutoTokenizer.from_pretrained(folder)
  const session = await InferenceSession.create(graph, { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential' })
  const vectors = async (batch) => {
    const encoded = batch.map((text) => tokenizer.encode(text))
    const width = Math.max(...encoded.map(({ length }) => length))
    const ids = new BigInt64Array(batch.length * width)
    const mask = new BigInt64Array(ids.length)
    for (const [row, each] of encoded.entries()) {
      ids.set(each.map(BigInt), row * width)
      mask.fill(1n, row * width, row * width + each.length)
    }
    const dims = [batch.length, width]
    const { last_hidden_state: hidden } = await session.run({ input_ids: new Tensor('int64', ids, dims), attention_mask: new Tensor('int64', mask, dims) }, ['last_hidden_state'])
    const size = hidden.dims[2]
    return encoded.map((each, row) => {
      const vector = new Float32Array(size)
      for (let token = 0; token < each.length; token++) for (let i = 0; i < size; i++) vector[i] += hidden.data[(row * width + token) * size + i]
      const norm = Math.hypot(...vector)
      return vector.map((x) => x / norm)
    })
  }
  const work = async (count) => {
    for (let done = 0; done < count; done += 32) await vectors(texts.slice(done % 1024, (done % 1024) + Math.min(32, count - done)))
    parentPort.postMessage('done')
  }
  parentPort.on('message', (count) => void work(count))
  parentPort.postMessage('ready')
}

async function barePair(folder, graph) {
  const threads = [0, 1].map(() => new Worker(new URL(import.meta.url), { workerData: { folder, graph } }))
  const heard = (thread) => new Promise((resolve, reject) => thread.once('message', resolve).once('error', reject))
  await Promise.all(threads.map(heard))
  const run = async (n) => {
    for (const thread of threads) thread.postMessage(Math.ceil(n / 2))
    await Promise.all(threads.map(heard))
  }
  return { run, close: () => Promise.all(threads.map((thread) => thread.terminate())) }
}

/** `width` callers, each with one text at a time. */
const callers = (host, model, width) => (n) => {
  let left = n
  const caller = async () => {
    while (left-- > 0) await host.embed(model, texts[left & 1023])
  }
  return Promise.all(Array.from({ length: width }, caller))
}

async function embedding(title, host, model, folder, graph) {
  const { pipeline, env } = await import('@huggingface/transformers')
  env.allowRemoteModels = false
  const extractor = await pipeline('feature-extraction', folder, { dtype: graph.includes('quantized') ? 'q8' : 'fp32' })
  const bare = await barePair(folder, graph)
  await host.warm(model)
  const plain = async (n) => {
    for (let i = 0; i < n; i++) await extractor(texts[i & 1023], { pooling: 'mean', normalize: true })
  }
  const n = graph.includes('quantized') ? 3000 : 600
  const rates = await alternate({ 'troupe, 64 callers': { n, run: callers(host, model, 64) }, 'transformers.js, one by one': { n: n / 4, run: plain }, 'bare onnxruntime, two threads': { n, run: bare.run }, 'troupe, one call': { n, run: (count) => host.embed(model, Array.from({ length: count }, (_, i) => texts[i & 1023])) } }, { rounds: 5, warm: 1 })
  console.log(`\n### ${title}\n`)
  const met = compare(rates, [['troupe, 64 callers', 'transformers.js, one by one', 4], ['troupe, 64 callers', 'bare onnxruntime, two threads', 0.9], ['troupe, one call', 'bare onnxruntime, two threads']])
  await bare.close()
  return met
}

async function loopDelay(host) {
  const { pipeline } = await import('@huggingface/transformers')
  const extractor = await pipeline('feature-extraction', folderOf('encoder'), { dtype: 'q8' })
  const measured = async (work) => {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    await work(200)
    delay.enable()
    await work(4000)
    delay.disable()
    return delay
  }
  const ours = await measured(callers(host, 'embedded:encoder', 64))
  const plain = await measured((n) => Promise.all(Array.from({ length: 8 }, async () => {
    for (let i = 0; i < n / 64; i++) await extractor(texts.slice(i, i + 8), { pooling: 'mean', normalize: true })
  })))
  const p99 = (delay) => delay.percentile(99) / 1e6
  console.log(`\n### Event loop while inference saturates the cores\n\ntroupe: p99 ${p99(ours).toFixed(1)} ms, max ${(ours.max / 1e6).toFixed(1)} ms (bar 10 ms); transformers.js in the same loop: p99 ${p99(plain).toFixed(1)} ms`)
  return p99(ours) < 10
}

/** Bare steps: 96 cached tokens, caches fed back as they come. */
async function bareSteps() {
  const { Tensor, InferenceSession } = await import('onnxruntime-node')
  const session = await InferenceSession.create(join(folderOf('generator'), 'onnx/model_quantized.onnx'), { intraOpNumThreads: 2, interOpNumThreads: 1, executionMode: 'sequential' })
  const caches = session.inputNames.filter((name) => name.startsWith('past'))
  const int64 = (values, dims) => new Tensor('int64', BigInt64Array.from(values, BigInt), dims)
  const step = (rows, past, before) => {
    const feeds = { input_ids: int64(Array(rows).fill(77), [rows, 1]), attention_mask: int64(Array(rows * (past + 1)).fill(1), [rows, past + 1]), position_ids: int64(Array(rows).fill(past), [rows, 1]) }
    for (const name of caches) feeds[name] = before?.[name.replace('past_key_values', 'present')] ?? new Tensor('float32', new Float32Array(rows * 2 * past * 64), [rows, 2, past, 64])
    return session.run(feeds)
  }
  return (rows) => async (n) => {
    let before
    let past = 96
    for (let written = 0; written < n; written += rows) {
      before = await step(rows, past, before)
      past = past === 160 ? 96 : past + 1
      if (past === 96) before = undefined
    }
  }
}

async function streams(host) {
  const { pipeline, env } = await import('@huggingface/transformers')
  env.allowRemoteModels = false
  const writer = await pipeline('text-generation', folderOf('generator'), { dtype: 'q8' })
  await host.warm('embedded:generator')
  const firsts = []
  const write = async (i) => {
    const start = performance.now()
    let first
    for await (const { text } of host.generate('embedded:generator', { messages: chat(i), maxTokens: WRITTEN, logitBias: { [END]: -100 } })) if (text !== '') first ??= performance.now() - start
    firsts.push(first)
  }
  const ours = (width) => async (n) => {
    for (let written = 0; written < n; written += width * WRITTEN) await Promise.all(Array.from({ length: width }, (_, i) => write(i)))
  }
  const plain = async (n) => {
    for (let i = 0; i * WRITTEN < n; i++) await writer(chat(i), { max_new_tokens: WRITTEN, min_new_tokens: WRITTEN, do_sample: false })
  }
  const bare = await bareSteps()
  const rates = await alternate({ 'troupe, 8 streams': { n: 8 * WRITTEN, run: ours(8) }, 'transformers.js, one after another': { n: 4 * WRITTEN, run: plain }, 'bare onnxruntime, batch of 8': { n: 8 * WRITTEN, run: bare(8) }, 'troupe, 1 stream': { n: 4 * WRITTEN, run: ours(1) }, 'bare onnxruntime, 1 sequence': { n: 4 * WRITTEN, run: bare(1) } }, { rounds: 5, warm: 1 })
  console.log('\n### Tokens a second while text is generated, prompts included in ours\n')
  const met = compare(rates, [['troupe, 8 streams', 'transformers.js, one after another', 4], ['troupe, 1 stream', 'transformers.js, one after another', 1.5], ['troupe, 8 streams', 'bare onnxruntime, batch of 8', 0.8], ['troupe, 1 stream', 'bare onnxruntime, 1 sequence', 0.8]])
  console.log(`\ntime to the first part, 1 and 8 streams mixed: median ${median(firsts).toFixed(0)} ms, longest ${Math.max(...firsts).toFixed(0)} ms`)
  return met
}

/** The same instructions before ever new questions, and instructions that are new each time. */
async function prefixes(host) {
  await host.warm('embedded:generator')
  const rules = 'You answer from the sources, and cite them. '.repeat(40)
  const ask = (system) => async (n) => {
    for (let i = 0; i < n; i++) await host.generate('embedded:generator', { messages: [{ role: 'system', content: system(i) }, { role: 'user', content: `Where is parcel ${i}?` }], maxTokens: 1 })
  }
  let fresh = 0
  const rates = await alternate({ 'the same instructions': { n: 8, run: ask(() => rules) }, 'new instructions': { n: 8, run: ask(() => `${++fresh}. ${rules}`) } }, { rounds: 5, warm: 1 })
  console.log('\n### Prompts of some 400 tokens a second, one token written for each\n')
  return compare(rates, [['the same instructions', 'new instructions', 2]])
}

async function chatUnderLoad(host) {
  await Promise.all([host.warm('embedded:generator'), host.warm('embedded:encoder')])
  const p95s = async (rounds) => {
    const times = []
    for (let i = 0; i < rounds; i++) {
      const start = performance.now()
      await host.generate('embedded:generator', { messages: chat(i), maxTokens: 32 }, { urgency: 'interactive' })
      times.push(performance.now() - start)
    }
    return times.sort((a, b) => a - b)[Math.floor(rounds * 0.95)]
  }
  await p95s(10)
  const ratios = []
  for (let round = 0; round < 3; round++) {
    const idle = await p95s(40)
    let going = true
    const bulk = Promise.all(Array.from({ length: 4 }, async () => {
      while (going) await host.embed('embedded:encoder', texts.slice(0, 256), { urgency: 'bulk' })
    }))
    const busy = await p95s(40)
    going = false
    await bulk
    ratios.push(busy / idle)
  }
  console.log(`\n### Chat while bulk embedding saturates the host\n\np95 is ${median(ratios).toFixed(2)} × its idle value (${Math.min(...ratios).toFixed(2)}..${Math.max(...ratios).toFixed(2)}; bar 1.5)`)
  return median(ratios) < 1.5
}

/** Growth shows between the tenths of the calls: what is loaded and warmed up on the way is there after the first. */
async function soak(host, calls) {
  const state = () => {
    globalThis.gc?.()
    globalThis.gc?.()
    return { heap: process.memoryUsage().heapUsed, rss: process.memoryUsage().rss, handles: process.getActiveResourcesInfo().length }
  }
  const run = callers(host, 'embedded:encoder', 64)
  const tenth = Math.ceil(calls / 10)
  const tell = (name, { heap, rss, handles }) => console.log(`| ${name} | ${(heap / 1e6).toFixed(1)} | ${(rss / 1e6).toFixed(1)} | ${handles} |`)
  console.log(`\n### Soak: ${show(calls)} embed calls after ${show(tenth)} to warm up\n\n| after calls | heap, MB | resident, MB | handles |\n| ---: | ---: | ---: | ---: |`)
  await run(tenth)
  const before = state()
  tell(0, before)
  let after = before
  for (let done = tenth; done < calls + tenth; done += tenth) {
    await run(tenth)
    after = state()
    tell(done, after)
  }
  const [heap, rss] = [(after.heap - before.heap) / 1e6, (after.rss - before.rss) / 1e6]
  console.log(`\nstart to end: heap ${heap.toFixed(1)} MB, resident ${rss.toFixed(1)} MB, handles ${after.handles - before.handles} (bars: 2 MB, 50 MB, 0)`)
  return heap < 2 && rss < 50 && after.handles <= before.handles
}

async function main() {
  const { createHost } = await import('troupe/models')
  const asked = process.argv.slice(2)
  const wants = (name) => asked.length === 0 || asked.some((each) => each.split('=')[0] === name)
  header('Models')
  const host = await createHost()
  const scratch = mkdtempSync(join(tmpdir(), 'troupe-bench-'))
  const met = []
  if (wants('embed')) met.push(await embedding('Embedded encoder, short texts a second', host, 'embedded:encoder', folderOf('encoder'), join(folderOf('encoder'), 'onnx/model_quantized.onnx')))
  if (wants('minilm')) {
    const folder = join(scratch, 'minilm')
    mkdirSync(join(folder, 'onnx'), { recursive: true })
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) cpSync(join(folderOf('encoder'), file), join(folder, file))
    const config = JSON.parse(readFileSync(join(folderOf('encoder'), 'config.json'), 'utf8'))
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, architectures: ['BertModel'], hidden_size: 384, 'transformers.js_config': { dtype: 'fp32' } }))
    const graph = join(folder, 'onnx/model.onnx')
    writeFileSync(graph, encoderGraph())
    met.push(await embedding("A float32 folder model of MiniLM's size", host, folder, folder, graph))
  }
  if (wants('loop')) met.push(await loopDelay(host))
  if (wants('streams')) met.push(await streams(host))
  if (wants('prefix')) met.push(await prefixes(host))
  if (wants('chat')) met.push(await chatUnderLoad(host))
  const soaking = asked.find((each) => each.startsWith('soak'))
  if (soaking !== undefined) met.push(await soak(host, Number(soaking.split('=')[1] ?? 1_000_000)))
  await host.stop()
  rmSync(scratch, { recursive: true })
  process.exitCode = met.every(Boolean) ? 0 : 1
}

await (isMainThread ? main() : bareThread(workerData))
