/** One task of A2A as a run of an agent. */
import { TroupeError, asTroupeError } from '../../ground/errors.js'
import type { AgentChunk, AgentTask } from '../agent/protocol.js'
import { problemOf } from '../gateway/statuses.js'
import type { AgentFor } from './served.js'
import { ownerOf } from './tasks.js'

type Sdk = typeof import('@a2a-js/sdk')
type Executor = import('@a2a-js/sdk/server').AgentExecutor
type Bus = import('@a2a-js/sdk/server').ExecutionEventBus
type Context = import('@a2a-js/sdk/server').RequestContext
type State = import('@a2a-js/sdk').TaskState
type Part = import('@a2a-js/sdk').Part

export class AgentExecutor implements Executor {
  readonly #sdk: Pick<Sdk, 'TaskState' | 'Role'>
  readonly #agentFor: AgentFor
  readonly #running = new Map<string, { readonly owner: string; readonly stop: AbortController }>()
  readonly #max: number

  /**
   * While `max` tasks are under way the next one fails with `Overloaded`: nobody need wait for a task, so no connection
   * bounds them. One caller may have as many as it leaves free.
   */
  constructor(sdk: Pick<Sdk, 'TaskState' | 'Role'>, agentFor: AgentFor, max: number) {
    this.#sdk = sdk
    this.#agentFor = agentFor
    this.#max = max
  }

  async execute(context: Context, bus: Bus): Promise<void> {
    const { TaskState } = this.#sdk
    const { taskId, contextId, userMessage } = context
    const telling = new Telling(this.#sdk, bus, taskId, contextId)
    const stop = new AbortController()
    const owner = ownerOf(context.context)
    const isFull = !this.#hasRoom(owner)
    if (!isFull) this.#running.set(taskId, { owner, stop })
    bus.publish({ kind: 'task', data: { id: taskId, contextId, status: { state: TaskState.TASK_STATE_SUBMITTED, message: undefined, timestamp: undefined }, artifacts: [], history: [userMessage], metadata: undefined } })
    try {
      if (isFull) throw new TroupeError('Overloaded', `no more of ${this.#max} tasks can be under way for you`, 'try again later, or call off one of yours')
      const task = taskOf(userMessage.parts)
      telling.standing(TaskState.TASK_STATE_WORKING)
      // A caller chooses its conversations, but not among those of others: neither part may hold the colon between them.
      const agent = this.#agentFor([owner, contextId].map(encodeURIComponent).join(':'))
      for await (const chunk of agent.stream({ type: 'run', ...task, run: taskId }, { signal: stop.signal })) telling.tell(chunk)
    } catch (thrown) {
      if (!stop.signal.aborted) telling.failed(asTroupeError(thrown))
    } finally {
      if (this.#running.get(taskId)?.stop === stop) this.#running.delete(taskId)
      bus.finished()
    }
  }

  #hasRoom(owner: string): boolean {
    const free = this.#max - this.#running.size
    let own = 0
    for (const task of this.#running.values()) if (task.owner === owner) own++
    return own < free
  }

  cancelTask(taskId: string, bus: Bus): Promise<void> {
    const { TaskState } = this.#sdk
    this.#running.get(taskId)?.stop.abort(new TroupeError('Cancelled', `the task ${taskId} was called off by A2A`, 'nothing to do: whoever asked for it called it off', { reason: 'cancelled' }))
    new Telling(this.#sdk, bus, taskId, '').standing(TaskState.TASK_STATE_CANCELED)
    return Promise.resolve()
  }
}

/** What a message says, and the images and sounds in it. A file elsewhere is not fetched: its address is the caller's choice. */
function taskOf(parts: readonly Part[]): Pick<AgentTask, 'input' | 'parts'> {
  const files = parts.flatMap(({ content, mediaType }) => {
    if (content?.$case !== 'raw' && content?.$case !== 'url') return []
    const [type] = mediaType.split('/')
    if (content.$case === 'raw' && (type === 'image' || type === 'audio')) return [{ type, blob: new Uint8Array(content.value) } as const]
    throw new TroupeError('InvalidMessage', `the message holds a file (${mediaType || 'of no type'}) that is no image or sound of its own`, 'send images and sounds by their bytes, and the rest in words', { mediaType })
  })
  const input = parts.flatMap(({ content }) => (content?.$case === 'text' ? content.value : content?.$case === 'data' ? JSON.stringify(content.value) : [])).join('\n')
  return { input, ...(files.length > 0 && { parts: files }) }
}

/** Chunks of a run, published as what A2A calls them. */
class Telling {
  readonly #sdk: Pick<Sdk, 'TaskState' | 'Role'>
  readonly #bus: Bus
  readonly #taskId: string
  readonly #contextId: string
  #said = 0

  constructor(sdk: Pick<Sdk, 'TaskState' | 'Role'>, bus: Bus, taskId: string, contextId: string) {
    this.#sdk = sdk
    this.#bus = bus
    this.#taskId = taskId
    this.#contextId = contextId
  }

  tell(chunk: AgentChunk): void {
    const { TaskState } = this.#sdk
    if (chunk.kind === 'text') this.#artifact('answer', textPart(chunk.text), this.#said++ > 0)
    if (chunk.kind === 'approval' && chunk.state === 'asked') this.standing(TaskState.TASK_STATE_WORKING, `waiting for a person to allow ${chunk.tool}`)
    if (chunk.kind !== 'done') return
    if (this.#said === 0 && chunk.text !== '' && chunk.finish !== 'refused') this.#artifact('answer', textPart(chunk.text), false)
    if (chunk.value !== undefined) this.#artifact('value', { content: { $case: 'data', value: chunk.value }, metadata: undefined, filename: '', mediaType: 'application/json' }, false)
    if (chunk.finish === 'refused') this.standing(TaskState.TASK_STATE_REJECTED, chunk.text)
    else this.standing(TaskState.TASK_STATE_COMPLETED)
  }

  failed(error: TroupeError): void {
    const { TaskState } = this.#sdk
    // The cause of a fault of the inside stays there; its id is for whoever may look it up.
    const { code, message, hint, details } = problemOf(error)
    const id = details?.['id']
    this.standing(code === 'InvalidMessage' ? TaskState.TASK_STATE_REJECTED : TaskState.TASK_STATE_FAILED, `${code}: ${message}; ${hint}${typeof id === 'number' ? ` (${id})` : ''}`)
  }

  standing(state: State, words?: string): void {
    const message = words === undefined ? undefined : { messageId: `${this.#taskId}-${state}`, contextId: this.#contextId, taskId: this.#taskId, role: this.#sdk.Role.ROLE_AGENT, parts: [textPart(words)], metadata: undefined, extensions: [], referenceTaskIds: [] }
    this.#bus.publish({ kind: 'statusUpdate', data: { taskId: this.#taskId, contextId: this.#contextId, status: { state, message, timestamp: undefined }, metadata: undefined } })
  }

  #artifact(name: string, part: Part, append: boolean): void {
    const artifact = { artifactId: name, name, description: '', parts: [part], metadata: undefined, extensions: [] }
    this.#bus.publish({ kind: 'artifactUpdate', data: { taskId: this.#taskId, contextId: this.#contextId, artifact, append, lastChunk: false, metadata: undefined } })
  }
}

const textPart = (text: string): Part => ({ content: { $case: 'text', value: text }, metadata: undefined, filename: '', mediaType: 'text/plain' })
