/** A process in place of a thread: slower to reach, but one that hangs can be killed. */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { TroupeError } from '../ground/errors.js'
import type { OpenThread, Thread } from './replica.js'
import type { ModelSpec, Parts, Reply, StripWrite, Task } from './wire.js'

/** From the host to the process. */
export type ToChild = { readonly kind: 'start'; readonly spec: ModelSpec } | { readonly kind: 'task'; readonly id: number; readonly task: Task } | { readonly kind: 'write'; readonly write: StripWrite } | { readonly kind: 'ping' }
/** From the process to the host. */
export type FromChild = { readonly kind: 'reply'; readonly id: number; readonly reply: Reply; readonly rssBytes: number } | Parts | { readonly kind: 'pong' }

/** A model in a process of its own, which does not outlive this one. */
export const openChild: OpenThread = ({ spec }, onParts) => new Child(spec, onParts)

class Child implements Thread {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, { resolve: (reply: Reply) => void; reject: (error: Error) => void }>()
  #nextId = 1
  #heard = 0
  #rssBytes: number | undefined
  #gone: Error | undefined

  constructor(spec: ModelSpec, onParts: (message: Parts) => void) {
    // None of this process's own arguments: those of `node -e` would run the program again.
    this.#process = fork(fileURLToPath(new URL('./child-entry.js', import.meta.url)), { execArgv: [], serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#process.on('message', (message: FromChild) => this.#hear(message, onParts))
    this.#process.on('error', (error) => this.#end(error))
    this.#process.on('exit', (code, signal) => this.#end(new Error(`its process ended with ${signal ?? `code ${code}`}`)))
    this.#send({ kind: 'start', spec })
    this.#rest()
  }

  /** A process in native code hears nothing, so an answer to a ping is a sign of life. */
  get progress(): { inside: boolean; steps: number } {
    this.#send({ kind: 'ping' })
    return { inside: this.#waiting.size > 0, steps: this.#heard }
  }

  get rssBytes(): number | undefined {
    return this.#rssBytes
  }

  write(write: StripWrite): void {
    this.#send({ kind: 'write', write })
  }

  run(task: Task): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== undefined) return reject(this.#gone)
      const id = this.#nextId++
      this.#waiting.set(id, { resolve, reject })
      this.#process.ref()
      this.#process.channel?.ref()
      try {
        this.#send({ kind: 'task', id, task })
      } catch (cause) {
        this.#waiting.delete(id)
        this.#rest()
        const error = new TroupeError('InvalidMessage', 'the input cannot be sent to the model\'s process', 'give plain data: strings, numbers, arrays, typed arrays', {}, cause)
        resolve({ kind: 'failed', error: error.toData() })
      }
    })
  }

  /** A process, unlike a thread, can be ended whatever it does. */
  async close(): Promise<void> {
    if (this.#gone !== undefined) return
    await new Promise<void>((resolve) => {
      this.#process.once('exit', () => resolve())
      // Whoever stops a host waits for the end of its processes, so this one must not end first.
      this.#process.ref()
      this.#process.kill('SIGKILL')
    })
  }

  #send(message: ToChild): void {
    if (this.#process.connected) this.#process.send(message)
  }

  #hear(message: FromChild, onParts: (message: Parts) => void): void {
    this.#heard++
    if (message.kind === 'parts') onParts(message)
    if (message.kind !== 'reply') return
    this.#rssBytes = message.rssBytes
    this.#waiting.get(message.id)?.resolve(message.reply)
    this.#waiting.delete(message.id)
    this.#rest()
  }

  /** Nothing is awaited: the process does not keep this one alive. */
  #rest(): void {
    if (this.#waiting.size > 0) return
    this.#process.unref()
    this.#process.channel?.unref()
  }

  #end(error: Error): void {
    this.#gone ??= error
    for (const { reject } of this.#waiting.values()) reject(this.#gone)
    this.#waiting.clear()
    this.#rest()
  }
}
