/** Who listens to what: subjects of tokens joined by dots, with NATS's wildcards `*` (one token) and `>` (one or more, at the end). */
import { TroupeError } from '../ground/errors.js'
import type { Address } from './address.js'
import { overloaded } from './endings.js'
import { SUBSCRIPTIONS_MAX } from './limits.js'

interface Branch {
  readonly next: Map<string, Branch>
  readonly subscribers: Set<Address>
}
const branch = (): Branch => ({ next: new Map(), subscribers: new Set() })

export class Topics {
  readonly #root = branch()
  readonly #patterns = new Map<Address, Set<string>>()
  #count = 0

  /** Throws `InvalidDefinition` for a malformed pattern and `Overloaded` beyond 100,000 subscriptions. */
  subscribe(pattern: string, address: Address): void {
    const tokens = tokensOf(pattern, true)
    const patterns = this.#patterns.get(address) ?? new Set()
    if (patterns.has(pattern)) return
    if (this.#count >= SUBSCRIPTIONS_MAX) throw overloaded(`${SUBSCRIPTIONS_MAX} subscriptions are open`, 0)
    patterns.add(pattern)
    this.#patterns.set(address, patterns)
    this.#count++
    let at = this.#root
    for (const token of tokens) {
      let next = at.next.get(token)
      if (next === undefined) at.next.set(token, (next = branch()))
      at = next
    }
    at.subscribers.add(address)
  }

  unsubscribe(pattern: string, address: Address): void {
    const patterns = this.#patterns.get(address)
    if (patterns?.delete(pattern) !== true) return
    if (patterns.size === 0) this.#patterns.delete(address)
    this.#count--
    remove(this.#root, tokensOf(pattern, true), 0, address)
  }

  /** The actor has ended: all its subscriptions with it. */
  forget(address: Address): void {
    for (const pattern of this.#patterns.get(address) ?? []) this.unsubscribe(pattern, address)
  }

  has(address: Address): boolean {
    return this.#patterns.has(address)
  }

  /** The subscribers of a topic, each once. */
  match(topic: string): Set<Address> {
    const found = new Set<Address>()
    collect(this.#root, tokensOf(topic, false), 0, found)
    return found
  }
}

function collect(at: Branch, tokens: readonly string[], depth: number, found: Set<Address>): void {
  if (depth === tokens.length) {
    for (const address of at.subscribers) found.add(address)
    return
  }
  for (const address of at.next.get('>')?.subscribers ?? []) found.add(address)
  for (const token of [tokens[depth] as string, '*']) {
    const next = at.next.get(token)
    if (next !== undefined) collect(next, tokens, depth + 1, found)
  }
}

/** Removes a subscriber and the branches that nobody needs any more; true when this one is such. */
function remove(at: Branch, tokens: readonly string[], depth: number, address: Address): boolean {
  const token = tokens[depth]
  if (token === undefined) at.subscribers.delete(address)
  else {
    const next = at.next.get(token)
    if (next !== undefined && remove(next, tokens, depth + 1, address)) at.next.delete(token)
  }
  return at.subscribers.size === 0 && at.next.size === 0
}

function tokensOf(subject: string, wildcards: boolean): string[] {
  const tokens = subject.split('.')
  const fine = tokens.every((token, at) => (token === '*' ? wildcards : token === '>' ? wildcards && at === tokens.length - 1 : /^[^\s*>]+$/.test(token)))
  if (fine) return tokens
  throw new TroupeError('InvalidDefinition', `${JSON.stringify(subject)} is no ${wildcards ? 'topic pattern' : 'topic'}`, wildcards ? "write tokens joined by dots, with '*' for one token and '>' at the end for the rest" : 'write tokens joined by dots, without wildcards')
}
