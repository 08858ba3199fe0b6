/** Who asked for what, and what came of it: one entry for each request, the last ones kept. */
import { AUDIT_MAX } from './limits.js'

export interface AuditEntry {
  /** When it came, in milliseconds since the epoch. */
  readonly at: number
  /** The name of the key, `sub:` and the subject of the token, `anonymous`, or `unknown` for who was not let in. */
  readonly who: string
  readonly remote: string
  readonly method: string
  /** The path, without its query. */
  readonly path: string
  /** The type of the message, where it came so far. */
  readonly type?: string
  readonly status: number
  /** The code of the error, where it was one. */
  readonly code?: string
  readonly ms: number
}

const TEXT_LENGTH_MAX = 200

/** Copied, since a slice of a long text would keep all of it. */
const cut = (text: string): string => (text.length > TEXT_LENGTH_MAX ? `${Buffer.from(text.slice(0, TEXT_LENGTH_MAX)).toString()}…` : text)

type Kept = { -readonly [K in keyof Required<AuditEntry>]: K extends 'type' | 'code' ? string | undefined : AuditEntry[K] }

export class Audit {
  /** Filled once, then written over: an entry for each request that lived for a thousand more was work for the collector. */
  readonly #kept: Kept[] = []
  #next = 0
  readonly #tell: ((entry: AuditEntry) => void) | undefined

  constructor(tell?: (entry: AuditEntry) => void) {
    this.#tell = tell
  }

  add(given: Readonly<Kept>): void {
    const slot = (this.#kept[this.#next] ??= { ...given, path: '', type: undefined })
    this.#next = (this.#next + 1) % AUDIT_MAX
    slot.at = given.at
    slot.ms = given.ms
    slot.status = given.status
    // Most requests are like others: the same words again are not kept, so that the collector need not move them here.
    if (slot.who !== given.who) slot.who = given.who
    if (slot.remote !== given.remote) slot.remote = given.remote
    if (slot.method !== given.method) slot.method = given.method
    if (slot.path !== given.path) slot.path = cut(given.path)
    if (slot.type !== given.type) slot.type = given.type === undefined ? undefined : cut(given.type)
    if (slot.code !== given.code) slot.code = given.code
    try {
      this.#tell?.(entryOf(slot))
    } catch {
      // A log that fails must not fail the request that it tells of.
    }
  }

  /** The last ones, the oldest first. */
  last(count: number): readonly AuditEntry[] {
    return [...this.#kept.slice(this.#next), ...this.#kept.slice(0, this.#next)].slice(-count).map(entryOf)
  }
}

const entryOf = ({ at, who, remote, method, path, type, status, code, ms }: Kept): AuditEntry => ({ at, who, remote, method, path, ...(type !== undefined && { type }), status, ...(code !== undefined && { code }), ms })
