/** Actors as models of the AI SDK: what `generateText`, `streamText` and `embedMany` take. Nothing of the SDK is loaded here. */
import { TroupeError } from '../../ground/errors.js'
import type { Ref } from '../../runtime/index.js'
import { Agent } from '../agent/protocol.js'
import { Generator } from '../generator/protocol.js'
import type { Nlu } from '../nlu/protocol.js'
import { agentModel } from './agent-model.js'
import { generatorModel } from './generator-model.js'
import type { SdkEmbeddingModel, SdkLanguageModel } from './specification.js'

type AgentRef = Ref<(typeof Agent)['specs']>
type GeneratorRef = Ref<(typeof Generator)['specs']>

/**
 * An agent, a team or a generator as a `LanguageModel` (specification v3, `ai` 6).
 *
 * An agent runs its own tools and reports them as executed by the provider; tools that the caller offers, and settings
 * that the actor has no word for, come back as warnings. A refusal finishes with `content-filter`, a spent budget with
 * `length`. The call's `abortSignal` cancels the actor's work. Images, sounds and texts
 * of the prompt become parts of an agent's task; a generator throws `InvalidMessage` for files, and both for others.
 */
export function languageModel(ref: AgentRef | GeneratorRef): SdkLanguageModel {
  if ('run' in ref.protocol.specs) return agentModel(ref as AgentRef)
  if ('chat' in ref.protocol.specs) return generatorModel(ref as GeneratorRef)
  throw new TroupeError('InvalidMessage', `${String(ref)} has no protocol that a language model speaks`, 'give a ref of Agent or Generator', { address: String(ref) })
}

/** Texts of one call; `embedMany` makes several calls of more. */
const VALUES_MAX = 256

/** An nlu actor as an `EmbeddingModel` (specification v3, `ai` 6): its sentence vectors, of length 1. */
export function embeddingModel(ref: Ref<(typeof Nlu)['specs']>): SdkEmbeddingModel {
  const vectorOf = async (text: string, signal: AbortSignal): Promise<number[]> => {
    const { vector } = await ref.ask({ type: 'parse', text, vector: true }, { signal })
    if (vector === undefined) throw new TroupeError('ModelFailed', `${ref.address} gave no vector`, 'use an nlu whose model gives sentence vectors', { model: ref.address })
    return [...vector]
  }
  return {
    specificationVersion: 'v3',
    provider: 'troupe',
    modelId: ref.address,
    maxEmbeddingsPerCall: VALUES_MAX,
    supportsParallelCalls: true,
    doEmbed: async ({ values, abortSignal }) => {
      // One that fails calls off the others: the call has no use for some of its vectors.
      const failed = new AbortController()
      const signal = abortSignal === undefined ? failed.signal : AbortSignal.any([abortSignal, failed.signal])
      try {
        return { embeddings: await Promise.all(values.map((text) => vectorOf(text, signal))), warnings: [] }
      } catch (error) {
        failed.abort(error)
        throw error
      }
    },
  }
}
