import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const generator = join(root, 'dist/models/embedded/generator')
let folder: string

/** The embedded generator with a chat template that fills a thread's heap, bit by bit, when a message says so: V8 ends such a thread. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-dead-threads-'))
  for (const file of ['config.json', 'generation_config.json', 'tokenizer.json']) cpSync(join(generator, file), join(folder, file))
  symlinkSync(join(generator, 'onnx'), join(folder, 'onnx'))
  const config = JSON.parse(readFileSync(join(generator, 'tokenizer_config.json'), 'utf8')) as { chat_template: string }
  const poison = "{% if messages[0].content == 'poison' %}{% set all = namespace(kept=[]) %}{% for i in range(1000) %}{% set all.kept = [range(10000), all.kept] %}{% endfor %}{% endif %}"
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ ...config, chat_template: poison + config.chat_template }))
})
afterAll(() => rmSync(folder, { recursive: true }))

// From Node 22 on a thread that fills its heap so fast can take the whole process with it: V8 aborts before Node can end the thread.
test.skipIf(Number(process.versions.node.split('.')[0]) >= 22)('a thread that dies of its work is replaced, the work is tried once more, then its caller is told, and the model goes on', () => {
  const program = `
    import { createHost } from 'troupe/models'
    const model = process.argv[1]
    const loads = []
    const host = await createHost({ placement: { [model]: { replicas: 1 } }, onProgress: ({ kind }) => kind === 'loaded' && loads.push(kind) })
    const write = (content) => host.generate(model, { messages: [{ role: 'user', content }], maxTokens: 8 }).then(({ text }) => text, ({ code, details }) => [code, details.reason])
    const before = await write('Hello')
    const failure = await write('poison')
    const after = await write('Hello')
    const { threadDeaths, threads, sequences } = host.metrics()[model]
    console.log(JSON.stringify({ failure, same: before === after, loads: loads.length, threadDeaths, threads, sequences }))
    await host.stop()`
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--max-old-space-size=96', '--input-type=module', '-e', program, folder], { cwd: root, encoding: 'utf8' })
  expect([stdout.trim(), status], stderr).toEqual(['{"failure":["OutOfMemory","allocation-failed"],"same":true,"loads":3,"threadDeaths":2,"threads":1,"sequences":2}', 0])
})
