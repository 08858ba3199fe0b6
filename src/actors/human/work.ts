/** What a person's chart does outside its turn: it asks whom a question was passed to, and waits. */
import { stepOnce } from '../../runtime/index.js'
import type { Effect } from '../settled.js'
import type { Person } from './chart.js'
import { Human } from './protocol.js'
import type { Outcome, Question } from './questions.js'

export interface Forward {
  readonly person: Person
  readonly question: Question
  readonly to: string
  /** When it was passed on. */
  readonly now: number
}
export interface HumanWork {
  readonly forward: Effect<Outcome, Forward>
}

/** What a question is called where it is passed to: the way it came, so that it is never taken for another. */
export const passedOn = ({ name }: Person, { id }: Question): string => `${name}/${id}`

export const humanWork: HumanWork = {
  // What to do when nobody decides is for the first person to say: the next gets no `otherwise`.
  forward: stepOnce('forward', async ({ person, question, to, now }: Forward, work) => {
    const { question: words, kind, details, options, expiresAt, remindAfter } = question
    const asked = {
      id: passedOn(person, question),
      question: words,
      remindAfter,
      ...(details !== undefined && { details }),
      ...(expiresAt !== undefined && { expiresIn: Math.max(0, expiresAt - now) }),
    }
    const whom = { protocol: Human, address: to }
    if (kind === 'approve') return work.ask(whom, { type: 'approve', ...asked }, { timeout: 'none' })
    return work.ask(whom, { type: 'answer', ...asked, ...(options !== undefined && { options }) }, { timeout: 'none' })
  }),
}
