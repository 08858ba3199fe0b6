/** A person's word before a tool is used. */
import { protocol, request, type Address, type Duration, type Me } from '../../runtime/index.js'
import { facts } from '../facts.js'
import { boolean, optional, record, string, typed } from '../shape.js'

/** How long a person has, and what happens meanwhile. */
export interface Patience {
  /** When the person is reminded, each counted from the question. Default never. */
  readonly remindAfter?: readonly Duration[]
  /** When nobody has decided by then, the tool is not used, and the model is told so. Default never. */
  readonly expiresIn?: Duration
  /** Who is asked instead when the person has said nothing by then: another key of the same kind, or an address. */
  readonly delegate?: readonly { readonly to: string; readonly after: Duration }[]
}

/** Whoever is asked looks at it. */
const handedOn = <T>(what: string) => optional(typed<T>(what, () => true))

/** As much of a person as an agent needs: `human` of this package speaks it, and so may an actor of your own. */
const Approver = protocol({
  approve: request(
    record({
      question: string,
      details: optional(string),
      id: optional(string),
      otherwise: optional(boolean),
      expiresIn: handedOn<Duration>('a duration'),
      remindAfter: handedOn<readonly Duration[]>('durations'),
      delegate: handedOn<NonNullable<Patience['delegate']>>('{ to, after } each'),
    }),
    record({ approved: boolean, by: optional(string), comment: optional(string), how: optional(string), changes: optional(facts) }),
  ),
})

interface Word {
  readonly approved: boolean
  readonly by?: string | undefined
  readonly comment?: string | undefined
  /** `expired` when it is nobody's word. */
  readonly how?: string | undefined
  /** What of the input is to be otherwise. */
  readonly changes?: Readonly<Record<string, unknown>> | undefined
}

/** Waits as long as it takes; asked again after a crash it is the same question, since it has the same id. */
export const approved = (approver: { readonly address: Address; readonly patience: Patience }, tool: string, input: unknown, id: string, signal: AbortSignal, me: Pick<Me, 'ask' | 'ref' | 'id'>): Promise<Word> =>
  me.ask(me.ref(Approver, approver.address), { type: 'approve', question: `May ${me.id} use ${tool}?`, details: detailsOf(input), id, ...approver.patience, ...(approver.patience.expiresIn !== undefined && { otherwise: false }) }, { timeout: 'none', signal })

const DETAILS_MAX = 8_000
const detailsOf = (input: unknown): string => {
  const text = JSON.stringify(input)
  return text.length <= DETAILS_MAX ? text : `${text.slice(0, DETAILS_MAX)} …`
}
