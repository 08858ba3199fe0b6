/**
 * An assistant with tools, one of which asks you first. It runs offline: rules stand in for its model (model.ts).
 *
 *   node build.mjs --quiet && node dist-examples/assistant/main.js
 *   printf 'Send 80 euros to Grace\ny\n' | node dist-examples/assistant/main.js
 */
import { createInterface } from 'node:readline/promises'
import { createTroupe } from 'troupe'
import { openAssistant } from './assistant.js'
import { scriptedModel } from './model.js'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const say = (words: string): void => void process.stdout.write(words)
const nextLine = async (): Promise<string | undefined> => ((await lines.next()) as IteratorResult<string, undefined>).value

process.stderr.write('(rules stand in for a model: ask for your balance, or “Send 80 euros to Grace”)\n')
const troupe = await createTroupe({ signals: true })
const assistant = openAssistant(troupe, {
  model: scriptedModel,
  onQuestion: ({ id, question, details }) => {
    say(`[${question} ${details}] y/n? `)
    void nextLine().then((line) => assistant.decide(id, line?.trim().toLowerCase() === 'y'))
  },
})

for (;;) {
  const line = await nextLine()
  if (line === undefined) break
  if (line.trim() === '') continue
  for await (const chunk of assistant.ref.stream({ type: 'run', input: line })) {
    if (chunk.kind === 'text') say(chunk.text)
    if (chunk.kind === 'tool-call') say(`[${chunk.tool} ${JSON.stringify(chunk.input)}]\n`)
    if (chunk.kind === 'approval' && chunk.state !== 'asked') say(`[${chunk.state} by ${chunk.by}]\n`)
    if (chunk.kind === 'done') say('\n')
  }
}
await troupe.stop()
