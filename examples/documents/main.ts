/**
 * Answers from a folder of Markdown: each answer cites the passages it stands in, or says that the documents do not tell.
 *
 *   node dist-examples/documents/main.js "How often is the tank cleaned?"
 *   node dist-examples/documents/main.js --folder ~/notes "What did we decide about the logo?" "Who pays for it?"
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createTroupe } from 'troupe'
import { openLibrary, type Answered } from './library.js'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { folder: { type: 'string', default: fileURLToPath(new URL('pages', import.meta.url)) } } })
if (positionals.length === 0) {
  process.stderr.write('usage: main.js [--folder a-folder-of-markdown] "a question" …\n')
  process.exit(2)
}

await using troupe = await createTroupe({ signals: true })
const ask = await openLibrary(troupe, values.folder, ({ documents, of }) => process.stderr.write(`${documents} of ${of} documents\n`))
for (const question of positionals) console.log(written(question, await ask(question)))

function written(question: string, { text, citations, passages }: Answered): string {
  const sources = citations.map(({ number, title, source, quote }) => `  [${number}] ${title} — ${source}: "${quote}"`)
  return [`> ${question}`, text, ...(sources.length > 0 ? sources : [`  (${passages} passages looked at)`]), ''].join('\n')
}
