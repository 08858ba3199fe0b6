import { actor, type Definition } from '../../runtime/index.js'
import { dialogueChart } from './chart.js'
import { Dialogue } from './protocol.js'
import { dialogueWork, type Colleagues, type Manner, type Texts } from './work.js'

export interface DialogueOptions extends Colleagues {
  /** What is said to intents that need no source, by intent and language. */
  readonly replies?: Manner['replies']
  /** Said when the sources do not answer. */
  readonly unanswered?: Texts
  /** From this score an intent gets its declared reply: scores are calibrated, and a search is the safer choice below near certainty. Default 0.95. */
  readonly replyMin?: number
  /** Below this score of the best passage, the answer is an honest no. Default 0.24. */
  readonly answerMin?: number
  /** From this score the best passage is quoted when the generator finds no answer in it. Default 0.26. */
  readonly quoteMin?: number
}

const UNANSWERED: Texts = {
  en: 'I am sorry, I could not find that in our pages.',
  zh: '抱歉，我们的资料中没有提到这一点。',
}

/** One conversation: answers from sources, with citations, or says honestly that they do not tell. For `troupe.keyed`. */
export function dialogue({ replies = {}, unanswered = UNANSWERED, replyMin = 0.95, answerMin = 0.24, quoteMin = 0.26, ...colleagues }: DialogueOptions): Definition<(typeof Dialogue)['specs']> {
  const work = dialogueWork(colleagues, { replies, unanswered, quoteMin })
  return actor(Dialogue, dialogueChart(work, { replies: new Set(Object.keys(replies)), replyMin, answerMin }))
}
