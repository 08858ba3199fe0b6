/** What each actor does, a line for each message, on stderr. */
import type { Fact, Troupe } from 'troupe'

const who = (address: string): string => (address === '' ? 'desk' : address)

export function showTrace(troupe: Troupe): void {
  troupe.inspect(({ kind, id, type, from, to, cause, reason }: Fact) => {
    const because = cause === 0 ? '' : ` because of #${cause}`
    process.stderr.write(`#${id} ${who(from)} → ${who(to)}: ${type} ${kind}${reason === undefined ? '' : ` (${reason})`}${because}\n`)
  })
}
