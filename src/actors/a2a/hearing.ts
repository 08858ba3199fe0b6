/** A2A's events as chunks of an agent's run, and a task as A2A's message. */
import { TroupeError } from '../../ground/errors.js'
import type { AgentChunk, AgentTask } from '../agent/protocol.js'
import { bytesBehind, type Blobs } from '../blobs.js'
import { mediaTypeOf } from '../first-bytes.js'
import type { Part as TaskPart } from '../parts.js'

type Event = import('@a2a-js/sdk').StreamResponse
type Status = import('@a2a-js/sdk').TaskStatus
type Part = import('@a2a-js/sdk').Part
type Request = import('@a2a-js/sdk').SendMessageRequest
type Role = import('@a2a-js/sdk').Role

/** The states in which a task says its last, by A2A's own numbers (specification 1.0, `TaskState`). */
const STATES = { completed: 3, failed: 4, canceled: 5, inputRequired: 6, rejected: 7, authRequired: 8 } as const
/** `ROLE_USER` of its `Role`: importing the enum would load the package with us. */
const USER = 1 as unknown as Role

/** An agent elsewhere counts its own tokens; here its run is one step. */
const USAGE = { steps: 1, promptTokens: 0, completionTokens: 0, money: 0 }

/** A task's images and sounds go as they are: the agent there says whether it takes them. */
export async function askOf({ input, parts = [], messages = [], schema }: AgentTask, { id, conversation, blobs }: { readonly id: string; readonly conversation: string; readonly blobs: Blobs | undefined }): Promise<Request> {
  const earlier = messages.map(({ role, content }) => `${role}: ${content}`).join('\n')
  const texts = [...(earlier === '' ? [] : [`Earlier in the conversation:\n${earlier}`]), input, ...(schema === undefined ? [] : [`Answer with JSON of this schema: ${JSON.stringify(schema)}`])]
  return {
    tenant: '',
    metadata: undefined,
    configuration: undefined,
    message: { messageId: id, contextId: conversation, taskId: '', role: USER, parts: [...texts.map(partOf), ...(await Promise.all(parts.map((part) => sent(part, blobs))))], metadata: undefined, extensions: [], referenceTaskIds: [] },
  }
}

const partOf = (text: string): Part => ({ content: { $case: 'text', value: text }, metadata: undefined, filename: '', mediaType: 'text/plain' })

async function sent(part: TaskPart, blobs: Blobs | undefined): Promise<Part> {
  if (part.type === 'text') return partOf(part.text)
  const data = await bytesBehind(part.blob, blobs)
  return { content: { $case: 'raw', value: Buffer.from(data) }, metadata: undefined, filename: '', mediaType: mediaTypeOf(data) ?? 'application/octet-stream' }
}

/** What the parts say; files are named, since an answer must not pretend that they were not there. */
function textOf(parts: readonly Part[]): string {
  return parts
    .map(({ content, filename, mediaType }) => {
      if (content?.$case === 'text') return content.value
      if (content?.$case === 'data') return JSON.stringify(content.value)
      return content === undefined ? '' : `[${filename || mediaType || 'a file'}]`
    })
    .join('')
}

/** What one task says, told once: a task's final state repeats what its events have said. */
export class Hearing {
  readonly #speaker: string
  #task: string | undefined
  #text = ''

  constructor(speaker: string) {
    this.#speaker = speaker
  }

  /** The task that is still under way there. */
  get openTask(): string | undefined {
    return this.#task
  }

  hear({ payload }: Event): AgentChunk[] {
    switch (payload?.$case) {
      case 'message':
        return [...this.#say(textOf(payload.value.parts)), this.end()]
      case 'artifactUpdate':
        this.#task ??= payload.value.taskId
        return this.#say(textOf(payload.value.artifact?.parts ?? []))
      case 'statusUpdate':
        this.#task ??= payload.value.taskId
        return this.#standing(payload.value.status)
      case 'task': {
        this.#task ??= payload.value.id
        const said = this.#text === '' ? this.#say(payload.value.artifacts.map(({ parts }) => textOf(parts)).join('\n')) : []
        return [...said, ...this.#standing(payload.value.status)]
      }
      case undefined:
        return []
    }
  }

  end(finish: 'stop' | 'refused' = 'stop'): AgentChunk & { kind: 'done' } {
    this.#task = undefined
    return { kind: 'done', speaker: this.#speaker, text: this.#text, finish, usage: USAGE }
  }

  #say(text: string): AgentChunk[] {
    this.#text += text
    return text === '' ? [] : [{ kind: 'text', speaker: this.#speaker, text }]
  }

  #standing(status: Status | undefined): AgentChunk[] {
    const words = textOf(status?.message?.parts ?? [])
    const state: number | undefined = status?.state
    switch (state) {
      case STATES.completed:
      case STATES.inputRequired:
        return [...this.#say(this.#text === '' || state === STATES.inputRequired ? words : ''), this.end()]
      case STATES.rejected:
      case STATES.authRequired:
        return [...this.#say(words), this.end('refused')]
      case STATES.failed:
        this.#task = undefined
        throw new TroupeError('ModelFailed', `the agent behind ${this.#speaker} failed: ${words || 'it does not say why'}`, 'see its own logs', { model: this.#speaker })
      case STATES.canceled:
        this.#task = undefined
        throw new TroupeError('Cancelled', `the task of ${this.#speaker} was called off where it ran`, 'ask again if you still want it')
      case undefined:
      default:
        return words === '' ? [] : [{ kind: 'thought', speaker: this.#speaker, text: words }]
    }
  }
}
