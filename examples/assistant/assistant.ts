/** An assistant that may look at an account by itself, and asks its owner before it sends much. */
import { actor, protocol, request, type Ref, type Troupe } from 'troupe'
import type { RemoteLanguageModel } from 'troupe/models'
import { actorTools, agent, human, Human, HumanNews, type Agent, type HumanQuestion } from 'troupe/actors'
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

/** What happens to a question: `person` is asked, reminded, or no longer needed. */
export interface News {
  readonly what: 'asked' | 'reminded' | 'delegated' | 'returned' | 'decided' | 'expired' | 'withdrawn'
  readonly person: string
  readonly question: HumanQuestion
  readonly by?: string | undefined
}

const told = (onNews: (news: News) => void) =>
  actor(HumanNews, {
    on: {
      asked: (news) => onNews({ ...news, what: 'asked' }),
      reminded: (news) => onNews({ ...news, what: 'reminded' }),
      delegated: (news) => onNews({ ...news, what: 'delegated' }),
      returned: (news) => onNews({ ...news, what: 'returned' }),
      closed: (news) => onNews({ ...news, what: news.how }),
    },
  })

export interface Assistant {
  readonly ref: Ref<(typeof Agent)['specs']>
  /** The owner's word on a question. */
  decide(id: string, approved: boolean, comment?: string): Promise<unknown>
}

/** The owner is reminded after ten minutes, the deputy asked after thirty, and after an hour nothing is sent. */
export function openAssistant(troupe: Troupe, { model, onNews }: { readonly model: RemoteLanguageModel; readonly onNews: (news: News) => void }): Assistant {
  const account = troupe.spawn('bank', bank)
  troupe.keyed('person', human({ durable: false }))
  const owner = troupe.ref(Human, 'person/owner')
  troupe.subscribe('human.*', troupe.spawn('front', told(onNews)))
  const describe = { balance: 'What is in the account, in euros', transfer: 'Sends euros; gives what is left' }
  const tools = [
    ...actorTools(account, { only: ['balance'], describe }),
    ...actorTools(account, { only: ['transfer'], describe, timeout: '1m', approve: (input) => (input as { euros: number }).euros > MAY_SEND_EUROS }),
  ]
  const approval = { remindAfter: ['10m'], delegate: [{ to: 'deputy', after: '30m' }], expiresIn: '1h' } as const
  const ref = troupe.spawn('assistant', agent({ model, instructions: 'You look after an account. Use the tools; make nothing up.', memory: true, tools, approver: owner, approval }))
  return { ref, decide: (id, approved, comment) => owner.ask({ type: 'decide', id, approved, by: 'the owner', ...(comment !== undefined && { comment }) }) }
}
