/** What a conversation does first with what the user says: its parts become text, and the text is understood. */
import { stepOnce, type Ref } from '../../runtime/index.js'
import type { Nlu, Parsed } from '../nlu/protocol.js'
import type { Effect } from '../settled.js'
import { heard, type Said } from './heard.js'
import type { Perception } from './protocol.js'

export interface Understood {
  readonly text: string
  readonly parsed: Parsed
}

export const understanding = ({ nlu, perception }: { readonly nlu: Ref<(typeof Nlu)['specs']>; readonly perception: Ref<(typeof Perception)['specs']> | undefined }): Effect<Understood, Said> =>
  stepOnce('understand', async (said: Said, work): Promise<Understood> => {
    const text = await heard(said, perception, work)
    return { text, parsed: await work.ask(nlu, { type: 'parse', text }) }
  })
