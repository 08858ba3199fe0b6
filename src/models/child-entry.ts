/** The entry of a model's own process. It ends when the host's process does. */
import type { FromChild, ToChild } from './child.js'
import { Strip } from './wire.js'
import { ModelThread } from './worker.js'

const strip = new Strip()
let thread: ModelThread | undefined

const send = (message: FromChild): void => {
  if (process.connected) process.send?.(message)
}

process.on('message', (message: ToChild) => {
  switch (message.kind) {
    case 'start':
      thread = new ModelThread(message.spec, strip, send)
      return
    case 'write':
      strip.apply(message.write)
      void thread?.serve({ kind: 'wake' })
      return
    case 'ping':
      send({ kind: 'pong' })
      return
    case 'task':
      void thread?.serve(message.task).then((reply) => send({ kind: 'reply', id: message.id, reply, rssBytes: process.memoryUsage.rss() }))
  }
})
// Messages are read between native calls only, so none is under way here.
process.on('disconnect', () => process.exit(0))
