/** How the members work together: for each line of a task, one after the other so that a reader can follow, one finds, one writes until the critic is content. */
import type { Ref, Troupe } from 'troupe'
import { generator, loopUntil, mapReduce, retriever, sequence, type Agent } from 'troupe/actors'
import { library } from './library.js'
import { critic, researcher, writer } from './members.js'

/** Starts the team and takes the library in. A task is a list of questions, one a line. */
export async function openTeam(troupe: Troupe): Promise<Ref<(typeof Agent)['specs']>> {
  const shelf = troupe.spawn('library', retriever())
  const model = troupe.spawn('model', generator())
  await shelf.ask({ type: 'add', documents: await library() }, { timeout: '2m' })
  const editing = loopUntil({ writer: writer(model) }, { worker: 'writer', check: critic, most: 2 })
  const answering = sequence({ researcher: researcher(shelf), editing })
  return troupe.spawn('team', mapReduce({ answering }, { map: 'answering', atOnce: 1, failures: 'keep', reduce: (answers) => answers.map((answer) => `- ${answer}`).join('\n') }))
}
