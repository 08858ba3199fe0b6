// A durable agent and the person whom it asks, killed while the question is open: `node approval.mjs <folder> <model url> ask`
// prints each question, `… decide` says yes and prints the outcome. What is paid is a line in <folder>/till.
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { actor, createTroupe } from 'troupe'
import { agent, human, HumanNews, tool } from 'troupe/actors'
import { lmdb } from 'troupe/lmdb'
import { z } from 'zod'

const [folder, modelUrl, mode] = process.argv.slice(2)
const model = createOpenAICompatible({ name: 'scripted', baseURL: modelUrl, includeUsage: true })('scripted-1')
const pay = tool({
  name: 'pay',
  input: z.object({ cents: z.number() }),
  approve: true,
  run: async ({ cents }, { idempotencyKey }) => {
    await appendFile(join(folder, 'till'), `${cents} ${idempotencyKey}\n`)
    return 'paid'
  },
})
const silent = () => {}
const troupe = await createTroupe({ store: lmdb(join(folder, 'store')), signals: true })
const terminal = actor(HumanNews, { on: { asked: ({ question }) => process.stdout.write(`${question.id}\n`), reminded: silent, delegated: silent, returned: silent, closed: silent } })
troupe.subscribe('human.*', troupe.spawn('terminal', terminal))
const person = troupe.keyed('human', human())('ada')
const clerk = troupe.keyed('clerk', agent({ model, tools: [pay], durable: true, approver: person }))('bob')
const paid = clerk.ask({ type: 'answer', input: 'Pay the bill.', run: 'the bill' }, { timeout: 'none' })
paid.catch(silent)
if (mode === 'decide') {
  const questions = await person.ask({ type: 'list' })
  await person.ask({ type: 'decide', id: questions[0].id, approved: true, by: 'Ada' })
  process.stdout.write(JSON.stringify({ questions: questions.map(({ question, details }) => [question, details]), outcome: await paid }))
  await troupe.stop()
}
