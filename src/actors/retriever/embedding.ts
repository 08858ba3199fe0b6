/** Texts to vectors, by the encoder that the retriever was given. */
import { TroupeError, type Work } from '../../runtime/index.js'

export async function embedded(model: string, texts: readonly string[], urgency: 'interactive' | 'bulk', work: Work): Promise<Float32Array[]> {
  const vectors = await work.infer<Float32Array[]>('embed', model, texts, { signal: work.signal, urgency })
  if (vectors.length !== texts.length) throw new TroupeError('ModelFailed', `${model} gave ${vectors.length} vectors for ${texts.length} texts`, 'choose a model that embeds texts', { model })
  return vectors
}
