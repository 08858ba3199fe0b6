/**
 * An assistant with tools, one of which asks you first. It runs offline: rules stand in for its model (model.ts).
 *
 *   node build.mjs --quiet && node dist-examples/assistant/main.js
 *   printf 'Send 80 euros to Grace\ny\n' | node dist-examples/assistant/main.js
 *
 * With --http its owner may decide from elsewhere too:
 *
 *   echo 'Send 80 euros to Grace' | node dist-examples/assistant/main.js --http 8080
 *   curl localhost:8080/actors/person/owner -H 'content-type: application/json' -d '{"type":"list"}'
 *   curl localhost:8080/actors/person/owner -H 'content-type: application/json' -d '{"type":"decide","id":"…","approved":true,"by":"Ada"}'
 */
import { createTroupe } from 'troupe'
import { gateway, Human } from 'troupe/actors'
import { openAssistant, type Assistant } from './assistant.js'
import { scriptedModel } from './model.js'
import { Terminal } from './terminal.js'

const at = process.argv.indexOf('--http')
const port = Number(process.argv[at + 1] ?? 0)

process.stderr.write('(rules stand in for a model: ask for your balance, or “Send 80 euros to Grace”)\n')
const troupe = await createTroupe({ signals: true })
const terminal = new Terminal(process.stdin, (words) => void process.stdout.write(words), { others: at > 0, signal: troupe.stopping })
const assistant: Assistant = openAssistant(troupe, { model: scriptedModel, onNews: (news) => terminal.tell(news, assistant) })
if (at > 0) {
  const { url } = await troupe.spawn('gateway', gateway(troupe, { actors: { 'person/*': Human }, port })).ask({ type: 'listening' })
  process.stderr.write(`(questions at ${url}/actors/person/owner)\n`)
}
await terminal.serve(assistant).catch((error: unknown) => {
  if (!troupe.stopping.aborted) throw error
})
await troupe.stop()
