/** A stream of chunks behind the AI SDK's model interface: read part by part, or to its end. */
import { TroupeError } from '../../ground/errors.js'
import type { Address } from '../../runtime/index.js'
import { partsOf, type Telling } from './parts.js'
import type { SdkCall, SdkContent, SdkFinish, SdkLanguageModel, SdkUsage, SdkWarning } from './specification.js'

export interface Speaking<Chunk> {
  readonly address: Address
  readonly open: (call: SdkCall) => { readonly chunks: AsyncIterableIterator<Chunk>; readonly warnings: SdkWarning[] }
  /** One for each stream. */
  readonly telling: () => Telling<Chunk>
  /** Takes the chunks one after the other; the outcome with the last. */
  readonly gathering: () => (chunk: Chunk) => Outcome | undefined
}

export interface Outcome {
  readonly content: SdkContent[]
  readonly finishReason: SdkFinish
  readonly usage: SdkUsage
}

export const modelOf = <Chunk>({ address, open, telling, gathering }: Speaking<Chunk>): SdkLanguageModel => ({
  specificationVersion: 'v3',
  provider: 'troupe',
  modelId: address,
  supportedUrls: {},
  doStream: async (call) => {
    const { chunks, warnings } = open(call)
    return { stream: partsOf(chunks, warnings, telling()) }
  },
  doGenerate: async (call) => {
    const { chunks, warnings } = open(call)
    const gather = gathering()
    for await (const chunk of chunks) {
      const outcome = gather(chunk)
      if (outcome !== undefined) return { ...outcome, warnings }
    }
    throw new TroupeError('ModelFailed', `${address} ended without an outcome`, 'its protocol wants a last chunk `done`', { model: address })
  },
})
