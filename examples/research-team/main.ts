/**
 * A research team: a researcher, a writer and a critic answer questions from a folder of documents, offline.
 *
 *   node dist-examples/research-team/main.js                        three questions about street trees
 *   node dist-examples/research-team/main.js 'What does a tree cost?' 'How much water?'
 */
import { createTroupe } from 'troupe'
import { openTeam } from './team.js'

const QUESTIONS = ['How much cooler is a street with large trees?', 'How much water does a newly planted tree need?', 'What does planting a street tree cost?']
const given = process.argv.slice(2)
const input = (given.length > 0 ? given : QUESTIONS).join('\n')

console.log('Finds with embedded:encoder, writes with embedded:generator, a small model; the critic is a rule.\n')
await using troupe = await createTroupe({ signals: true })
const team = await openTeam(troupe)
let speaker = ''
for await (const chunk of team.stream({ type: 'run', input }, { timeout: '5m' })) {
  if (chunk.kind === 'done') console.log(`\n\n${chunk.text}\n\n${chunk.usage.steps} model calls, ${chunk.usage.completionTokens} tokens written`)
  else if (chunk.kind === 'thought') {
    process.stdout.write(chunk.speaker === speaker ? chunk.text : `\n\n${chunk.speaker}\n  ${chunk.text}`)
    ;({ speaker } = chunk)
  } else if (chunk.kind === 'failed') console.log(`\n\n${chunk.speaker} failed: ${chunk.message}`)
}
