import { actor, type Definition } from '../../runtime/index.js'
import { needs } from '../kernels.js'
import { guardChart, type MayUnmask } from './chart.js'
import type { FormRules, PersonalOptions } from './policy.js'
import { Guard } from './protocol.js'
import type { TopicOptions } from './topics.js'
import { guardWork } from './work.js'

export interface GuardOptions extends Omit<FormRules, 'injection'> {
  /** The encoder. Default `embedded:encoder`. */
  readonly model?: string
  /** Attempts to overrule what a model was told, in inputs and passages: `min` of the score (default 0.5), and examples of your own. */
  readonly injection?: false | { readonly min?: number; readonly attacks?: readonly string[]; readonly ordinary?: readonly string[] }
  /** What is taken out of texts, to be put back by `unmask`. */
  readonly personal?: false | PersonalOptions
  /** What users may ask about. */
  readonly topics?: TopicOptions
  /** Who may have back what was taken out, by address (`''` outside the troupe) and conversation. Default nobody. */
  readonly mayUnmask?: MayUnmask
}

const NOBODY: MayUnmask = () => false

/** Looks at what goes to and comes from models: lets it through, takes something out, or refuses it, and says why. */
export function guard({ model = 'embedded:encoder', injection = {}, personal = {}, topics = {}, mayUnmask = NOBODY, ...forms }: GuardOptions = {}): Definition<(typeof Guard)['specs']> {
  return actor(Guard, guardChart(guardWork({ model, injection, personal, topics, ...forms }), mayUnmask), { needs })
}
