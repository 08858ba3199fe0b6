/** An assistant that may look at an account by itself, and asks its owner before it sends much. */
import { actor, event, protocol, request, type Ref, type Troupe } from 'troupe'
import type { RemoteLanguageModel } from 'troupe/models'
import { actorTools, agent, human, Human, type Agent, type HumanQuestion } from 'troupe/actors'
import { z } from 'zod'

const MAY_SEND_EUROS = 50

const Bank = protocol({
  balance: request(null, z.number()),
  transfer: request(z.object({ to: z.string(), euros: z.number().int().positive() }), z.number()),
})
const bank = actor(Bank, {
  state: () => ({ euros: 500 }),
  on: {
    balance: (_, { state }) => state.euros,
    transfer: ({ to, euros }, { state }) => {
      if (euros > state.euros) throw new RangeError(`${to} cannot get ${euros} euros out of ${state.euros}`)
      return (state.euros -= euros)
    },
  },
})

/** What of a person's news is shown here. */
const Front = protocol({ asked: event(z.object({ question: z.custom<HumanQuestion>() })) })

export interface Assistant {
  readonly ref: Ref<(typeof Agent)['specs']>
  /** The owner's word on a question. */
  decide(id: string, approved: boolean): Promise<unknown>
}

/** `onQuestion` is told when the owner is asked. */
export function openAssistant(troupe: Troupe, { model, onQuestion }: { readonly model: RemoteLanguageModel; readonly onQuestion: (question: HumanQuestion) => void }): Assistant {
  const account = troupe.spawn('bank', bank)
  troupe.keyed('person', human({ durable: false }))
  const owner = troupe.ref(Human, 'person/owner')
  const front = troupe.spawn('front', actor(Front, { on: { asked: ({ question }) => onQuestion(question) } }))
  troupe.subscribe('human.*', front)
  const describe = { balance: 'What is in the account, in euros', transfer: 'Sends euros; gives what is left' }
  const tools = [
    ...actorTools(account, { only: ['balance'], describe }),
    ...actorTools(account, { only: ['transfer'], describe, timeout: '1m', approve: (input) => (input as { euros: number }).euros > MAY_SEND_EUROS }),
  ]
  const ref = troupe.spawn('assistant', agent({ model, instructions: 'You look after an account. Use the tools; make nothing up.', memory: true, tools, approver: owner }))
  return { ref, decide: (id, approved) => owner.ask({ type: 'decide', id, approved, by: 'the owner' }) }
}
