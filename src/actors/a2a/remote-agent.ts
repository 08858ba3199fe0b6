import { realClock, type Timer } from '../../ground/clock.js'
import { TroupeError, describe } from '../../ground/errors.js'
import { keyOf } from '../../runtime/address.js'
import type { Invocable, Me } from '../../runtime/index.js'
import { performer } from '../agent/performer.js'
import type { Agent, AgentChunk, AgentTask } from '../agent/protocol.js'
import type { Blobs } from '../blobs.js'
import { askOf, Hearing } from './hearing.js'

type Sdk = typeof import('@a2a-js/sdk/client')
type Client = import('@a2a-js/sdk/client').Client

export interface RemoteAgentOptions {
  /** Where its agent card is: this, and `/.well-known/agent-card.json`. */
  readonly url: string
  /** Sent with each request, such as `{ authorization: 'Bearer …' }`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Where the blobs are that a task's images and sounds refer to. */
  readonly blobs?: Blobs
  /** Tasks under way there at once; the next waits in the mailbox. Default 16. */
  readonly concurrency?: number
}

/** Milliseconds that a task which nobody wants any more may take to be called off there. */
const CALL_OFF_MS = 5_000

/**
 * An agent somewhere else, spoken to by A2A, as an actor of `Agent`: whoever holds its ref cannot tell. Spawned under a
 * key it keeps to one conversation, named by that key. Cancelling the ask or leaving the stream cancels the task there.
 * Needs `@a2a-js/sdk`; `MissingDependency` without it, `ModelFailed` when the agent fails or is out of reach.
 */
export function remoteAgent({ url, headers = {}, blobs, concurrency = 16 }: RemoteAgentOptions): Invocable<(typeof Agent)['specs']> {
  let connected: Promise<Client> | undefined
  const connect = (): Promise<Client> => {
    connected ??= connectTo(url, headers)
    connected.catch(() => (connected = undefined))
    return connected
  }
  const run = async function* (task: AgentTask, me: Me<(typeof Agent)['specs'], undefined>): AsyncGenerator<AgentChunk> {
    const client = await connect()
    const hearing = new Hearing(me.id)
    const line = lineOf(me.signal, () => hearing.openTask !== undefined)
    try {
      const ask = await askOf(task, { id: nameOf(task, me), conversation: keyOf(me.id) ?? '', blobs })
      for await (const event of client.sendMessageStream(ask, { signal: line.signal, serviceParameters: { ...headers } })) {
        const chunks = hearing.hear(event)
        if (me.signal.aborted) throw me.signal.reason
        yield* chunks
        if (chunks.some(({ kind }) => kind === 'done')) return
      }
      if (hearing.openTask !== undefined) throw failed(url, 'its stream ended in the middle of a task')
      yield hearing.end()
    } catch (cause) {
      throw cause instanceof TroupeError ? cause : failed(url, cause)
    } finally {
      line.close()
      const open = hearing.openTask
      if (open !== undefined) await callOff(client, open, headers)
    }
  }
  return performer(run, { concurrency })
}

async function connectTo(url: string, headers: Readonly<Record<string, string>>): Promise<Client> {
  const { ClientFactory, ClientFactoryOptions, DefaultAgentCardResolver }: Sdk = await import('@a2a-js/sdk/client').catch((cause: unknown) => {
    throw new TroupeError('MissingDependency', `agents by A2A need @a2a-js/sdk, which could not be loaded: ${describe(cause)}`, 'npm install @a2a-js/sdk', { dependency: '@a2a-js/sdk' }, cause)
  })
  // The card may be behind the same door as the agent.
  const cardResolver = new DefaultAgentCardResolver({ fetchImpl: (input, init) => fetch(input, { ...init, headers: { ...headers, ...(init?.headers as Record<string, string> | undefined) } }) })
  const factory = new ClientFactory(ClientFactoryOptions.createFrom(ClientFactoryOptions.default, { cardResolver }))
  return await factory.createFromUrl(url).catch((cause: unknown) => {
    throw failed(url, cause)
  })
}

/** The same for each try of a run that has a name, so that a server can tell a repetition. */
const nameOf = (task: AgentTask, me: Pick<Me, 'id' | 'envelope' | 'random'>): string => task.run ?? `${me.id}-${me.envelope}-${Math.floor(me.random() * 2 ** 48).toString(36)}`

/** Ends with the caller's signal, but not before the task there has a name by which it can be called off. */
function lineOf(wanted: AbortSignal, named: () => boolean): { readonly signal: AbortSignal; readonly close: () => void } {
  const line = new AbortController()
  let timer: Timer | undefined
  const leave = (): void => {
    if (named()) line.abort(wanted.reason)
    else timer = realClock.timer(CALL_OFF_MS, () => line.abort(wanted.reason), true)
  }
  if (wanted.aborted) leave()
  else wanted.addEventListener('abort', leave, { once: true })
  const close = (): void => {
    wanted.removeEventListener('abort', leave)
    timer?.cancel()
  }
  return { signal: line.signal, close }
}

async function callOff(client: Client, id: string, headers: Readonly<Record<string, string>>): Promise<void> {
  const patience = new AbortController()
  const timer = realClock.timer(CALL_OFF_MS, () => patience.abort(), true)
  // The task may have ended by now, and the agent may be gone: nobody waits to hear of it.
  await client.cancelTask({ tenant: '', id, metadata: undefined }, { signal: patience.signal, serviceParameters: { ...headers } }).catch(() => {})
  timer.cancel()
}

const failed = (url: string, cause: unknown): TroupeError => new TroupeError('ModelFailed', `the agent at ${url} failed: ${typeof cause === 'string' ? cause : describe(cause)}`, 'see the cause; check the address, the headers, and that the agent is up', { url }, cause)
