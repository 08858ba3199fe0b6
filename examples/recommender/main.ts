/**
 * Recommends books to readers by what they did before, and says why.
 *
 *   node dist-examples/recommender/main.js
 */
import { openLibrary } from './library.js'
import type { Action } from './reader.js'

const READERS: Readonly<Record<string, readonly (readonly [Action, string])[]>> = {
  ada: [['liked', 'algorithms'], ['borrowed', 'python'], ['viewed', 'mars']],
  ben: [['liked', 'sourdough'], ['liked', 'soups'], ['disliked', 'tomatoes']],
  eva: [['liked', 'moon'], ['borrowed', 'stars'], ['disliked', 'databases'], ['viewed', 'roses']],
}

const library = await openLibrary()
for (const [name, actions] of Object.entries(READERS)) {
  const ref = library.reader(name)
  for (const [action, item] of actions) await ref.tell({ type: 'did', action, item })
  console.log(`${name}: ${actions.map(([action, item]) => `${action} ${item}`).join(', ')}`)
  for (const { title, score, because } of await ref.ask({ type: 'recommend', count: 3 })) {
    console.log(`  ${score.toFixed(2)} ${title} — like ${because.map((liked) => `${liked.title} (${liked.likeness.toFixed(2)})`).join(' and ')}`)
  }
}
await library.close()
