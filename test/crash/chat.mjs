// Conversations that are killed in the middle of an answer: `node chat.mjs <folder> run <from>` talks until it dies, `… check` finishes what is left and reports.
import { setImmediate as turn } from 'node:timers/promises'
import { actor, createTroupe, protocol, request, stream } from 'troupe'
import { lmdb } from 'troupe/lmdb'

const [folder, mode, from] = process.argv.slice(2)
const any = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }
const CHATS = 4
const WORDS = 6

const Chat = protocol({ say: stream(any, any), log: request(null, any) })
const chat = actor(Chat, {
  durable: true,
  state: () => ({ answered: [], last: -1, disorder: 0 }),
  on: {
    say: async function* ({ id, n }, me) {
      let answer = ''
      for await (const word of me.infer('generate', 'words', { id })) {
        answer += word
        yield word
      }
      const receipt = await me.step('sign', () => `${answer}!`)
      yield receipt
      if (me.state.last > n) me.state.disorder++
      me.state.last = n
      me.state.answered.push([id, answer])
    },
    log: (_, { state }) => state,
  },
})
const broken = new Set()
const host = {
  // Every seventh answer breaks off once.
  infer: (_task, _model, { id }) => Object.assign(Promise.resolve('whole'), { [Symbol.asyncIterator]: () => words(id) }),
}
async function* words(id) {
  for (let i = 0; i < WORDS; i++) {
    await turn()
    if (i === 3 && Number(id.split('/')[1]) % 7 === 0 && !broken.has(id)) {
      broken.add(id)
      throw new Error('the model is gone')
    }
    yield `${i}`
  }
}

const troupe = await createTroupe({ store: lmdb(folder), host })
const chatAt = troupe.keyed('chat', chat)

/** Says one thing and reads the answer; how that ended, and what was wrong with it. */
async function say(key, n) {
  const id = `${key}/${n}`
  const words = []
  try {
    for await (const word of chatAt(key).stream({ type: 'say', id, n }, { timeout: '60s' })) {
      // The first word tells that the message was accepted.
      if (words.push(word) === 1) process.stdout.write(`heard ${id}\n`)
    }
    process.stdout.write(words.join(' ') === '0 1 2 3 4 5 012345!' ? `whole ${id}\n` : `wrong ${id} ${words.join(' ')}\n`)
  } catch (error) {
    const inOrder = words.every((word, i) => word === `${i}`)
    process.stdout.write(error.code === 'Interrupted' && inOrder ? `interrupted ${id}\n` : `wrong ${id} ${words.join(' ')} ${error.code}\n`)
  }
}

if (mode === 'run') {
  const talk = async (c) => {
    for (let n = Number(from); ; n++) await say(String(c), n)
  }
  await Promise.all(Array.from({ length: CHATS }, (_, c) => talk(c)))
} else {
  const logs = await Promise.all(Array.from({ length: CHATS }, (_, c) => chatAt(String(c)).ask({ type: 'log' }, { timeout: '60s' })))
  process.stdout.write(JSON.stringify({ resumed: troupe.resumed.length, answered: logs.flatMap(({ answered }) => answered), disorder: logs.reduce((sum, { disorder }) => sum + disorder, 0) }))
  await troupe.stop()
}
