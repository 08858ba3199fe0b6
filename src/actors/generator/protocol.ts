/** What `generator` takes and gives. */
import { protocol, stream } from '../../runtime/index.js'
import { boolean, kinds, list, number, oneOf, record, string, type Shaped } from '../shape.js'

const passage = record({ text: string, title: string, source: string })
const citation = record({
  /** The number in the text, `[1]` for the first passage. */
  number,
  title: string,
  source: string,
})

const chunk = kinds({
  text: { text: string },
  /** In place of text: the model says that the passages do not answer, or said what does not stand in them. */
  refusal: { reason: oneOf('refused', 'ungrounded'), text: string },
  done: {
    citations: list(citation),
    /** Every sentence stands in the passages, and what it cites says it. */
    grounded: boolean,
    usage: record({ promptTokens: number, completionTokens: number }),
    finishReason: oneOf('stop', 'length'),
  },
})

export type Source = Shaped<typeof passage>
export type Citation = Shaped<typeof citation>
export type GeneratorChunk = Shaped<typeof chunk>

export const Generator = protocol({
  /** Answers from the passages, best first; those beyond the fourth are left out. */
  answer: stream(record({ question: string, passages: list(passage) }), chunk),
})
