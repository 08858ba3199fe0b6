/** Looks at what comes in, what tools bring, and what goes out, before anybody else does. */
import { protocol, request, type Address, type Me } from '../../runtime/index.js'
import { list, oneOf, optional, record, string, type Shaped } from '../shape.js'

const direction = oneOf('input', 'passage', 'output')
type Direction = Shaped<typeof direction>

/** As much of a guard as an agent needs: `guard` of this package speaks it, and so may an actor of your own. */
const Checker = protocol({
  check: request(
    record({ text: optional(string), direction }),
    record({ verdict: oneOf('allow', 'redact', 'refuse'), text: string, reasons: list(record({ rule: string, name: string })) }),
  ),
})

export type Verdict = { readonly verdict: 'allow' } | { readonly verdict: 'redact'; readonly text: string } | { readonly verdict: 'refuse'; readonly reason: string }

/** A function of your own, or the ref of a guard. */
export type Guardrail = ((text: string, direction: Direction) => Verdict | Promise<Verdict>) | { readonly address: Address }

/** Of a function; what it has not looked at by then goes no further. */
const TIMEOUT = '60s'

export async function judged(guardrail: Guardrail | undefined, text: string, direction: Direction, me: Pick<Me, 'ask' | 'ref' | 'step'>): Promise<Exclude<Verdict, { verdict: 'allow' }> | { readonly verdict: 'allow'; readonly text: string }> {
  if (guardrail === undefined) return { verdict: 'allow', text }
  if (typeof guardrail === 'function') {
    const verdict = await me.step(`guard ${direction}`, () => guardrail(text, direction), { timeout: TIMEOUT })
    return verdict.verdict === 'allow' ? { verdict: 'allow', text } : verdict
  }
  const { verdict, text: left, reasons } = await me.ask(me.ref(Checker, guardrail.address), { type: 'check', text, direction })
  if (verdict === 'refuse') return { verdict, reason: [...new Set(reasons.map(({ rule, name }) => `${rule} (${name})`))].join(', ') }
  return verdict === 'redact' ? { verdict, text: left } : { verdict, text }
}
