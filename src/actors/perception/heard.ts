/** The text of a message that may have parts, for actors whose work begins with text. */
import { TroupeError, type Ref, type Work } from '../../runtime/index.js'
import type { Part } from '../parts.js'
import type { Perception } from './protocol.js'

export interface Said {
  readonly text: string
  readonly parts?: readonly Part[] | undefined
}

export async function heard({ text, parts = [] }: Said, perception: Ref<(typeof Perception)['specs']> | undefined, work: Pick<Work, 'ask'>): Promise<string> {
  if (parts.length === 0) return text
  if (perception === undefined) throw new TroupeError('InvalidMessage', 'the message has parts, and this actor nobody who perceives them', 'give the actor one: { perception }')
  const perceived = await work.ask(perception, { type: 'perceive', parts })
  return [text, perceived.text].filter((each) => each.trim() !== '').join('\n')
}
