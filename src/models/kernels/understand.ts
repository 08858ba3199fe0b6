/** A sentence vector and its entities, from one forward pass. */
import type { Kernel, Tensor } from '../kernel.js'
import { embedWith } from './embed.js'
import { labelsOf, logitsOf, tagged, type Tagged } from './tag.js'

export const understand: Kernel = async (model, pass) => {
  const logits = logitsOf(model)
  const labels = labelsOf(model)
  const values: Tagged[] = []
  const { answers } = await embedWith(model, pass, [logits], (text, out, width) => {
    values[text.index] = tagged(model, labels, text, out[logits] as Tensor, width)
  })
  return { ...answers, values }
}
