// A host whose model is a function of what it is asked; counts its calls, and those that were left.
import type { Kernels } from 'troupe'
import type { RemoteLanguageModel } from 'troupe/models'

export interface Message {
  readonly role: string
  readonly content: string
  readonly toolCalls?: readonly { readonly input: string }[]
}
export interface Said {
  readonly text?: string
  readonly toolCalls?: readonly object[]
  readonly usage?: object
  readonly value?: unknown
  readonly finishReason?: string
  /** Goes on with this text for ever. */
  readonly endless?: string
  /** Says its text, and then nothing more. */
  readonly stuck?: true
  readonly error?: Error
}
export interface ScriptedHost extends Kernels {
  readonly asked: { readonly messages: readonly Message[]; readonly tools?: readonly { readonly name: string }[]; readonly schema?: object; readonly maxTokens: number }[]
  /** When each call has to be over. */
  readonly deadlines: (number | undefined)[]
  /** Calls under way now. */
  readonly open: number
}

/** For definitions: the host says what it says, by whatever name. */
export const nobody: RemoteLanguageModel = { modelId: 'scripted', provider: 'test', doStream: () => Promise.reject(new Error('the host says it')) }

export function scriptedHost(script: (messages: readonly Message[], at: number) => Said): ScriptedHost {
  const asked: ScriptedHost['asked'] = []
  const deadlines: ScriptedHost['deadlines'] = []
  let open = 0
  return {
    asked,
    deadlines,
    get open() {
      return open
    },
    infer: (_, __, input, { signal, deadline } = {}) => {
      deadlines.push(deadline)
      asked.push(input as ScriptedHost['asked'][number])
      const { text = '', usage = { promptTokens: 10, completionTokens: 5 }, finishReason = 'stop', endless, stuck, error, ...said } = script((input as { messages: Message[] }).messages, asked.length - 1)
      async function* speak(): AsyncGenerator<{ text: string }> {
        open++
        try {
          if (text !== '') yield { text: text.slice(0, Math.ceil(text.length / 2)) }
          if (text.length > 1) yield { text: text.slice(Math.ceil(text.length / 2)) }
          while (endless !== undefined) yield await Promise.resolve({ text: endless })
          if (stuck === true) await new Promise((_resolve, reject) => (signal?.aborted === true ? reject(signal.reason as Error) : signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })))
          if (error !== undefined) throw error
        } finally {
          open--
        }
      }
      return {
        [Symbol.asyncIterator]: speak,
        // oxlint-disable-next-line unicorn/no-thenable -- a call is awaited or read
        then: (resolve, reject) => (error === undefined ? Promise.resolve({ text, usage, finishReason, ...said }) : Promise.reject(error)).then(resolve, reject),
      }
    },
  }
}

export const called = (name: string, input: unknown = {}, id = `call-${name}`): object => ({ id, name, input: typeof input === 'string' ? input : JSON.stringify(input) })
