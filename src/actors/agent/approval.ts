/** A person's word before a tool is used. */
import { protocol, request, type Address, type Me } from '../../runtime/index.js'
import { boolean, optional, record, string } from '../shape.js'

/** As much of a person as an agent needs: `human` of this package speaks it, and so may an actor of your own. */
const Approver = protocol({
  approve: request(record({ question: string, details: optional(string), id: optional(string) }), record({ approved: boolean, by: optional(string), comment: optional(string) })),
})

interface Word {
  readonly approved: boolean
  readonly by?: string | undefined
  readonly comment?: string | undefined
}

/** Waits as long as it takes; asked again after a crash it is the same question, since it has the same id. */
export const approved = (approver: Address, tool: string, input: unknown, id: string, signal: AbortSignal, me: Pick<Me, 'ask' | 'ref' | 'id'>): Promise<Word> =>
  me.ask(me.ref(Approver, approver), { type: 'approve', question: `May ${me.id} use ${tool}?`, details: detailsOf(input), id }, { timeout: 'none', signal })

const DETAILS_MAX = 8_000
const detailsOf = (input: unknown): string => {
  const text = JSON.stringify(input)
  return text.length <= DETAILS_MAX ? text : `${text.slice(0, DETAILS_MAX)} …`
}
