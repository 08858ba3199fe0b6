/** A sentence vector and its entities, from one forward pass. */
import type { Kernel, Tensor } from '../kernel.js'
import { embedWith } from './embed.js'
import { labelsOf, logitsOf, tagged, type Tagged } from './tag.js'

export const understand: Kernel = async (model, pass) => {
  const logits = logitsOf(model)
  const labels = labelsOf(model)
  const values: Tagged[] = []
  const read = await embedWith(model, pass, {
    outputs: [logits],
    visit: (text, out, width) => void (values[text.index] = tagged(model, labels, text, out[logits] as Tensor, width)),
  })
  return { ...read, values }
}
