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

const PATH_LENGTH_MAX = 200

export class Audit {
  readonly #kept: AuditEntry[] = []
  #next = 0
  readonly #tell: ((entry: AuditEntry) => void) | undefined

  constructor(tell?: (entry: AuditEntry) => void) {
    this.#tell = tell
  }

  add(given: AuditEntry): void {
    const entry = given.path.length > PATH_LENGTH_MAX ? { ...given, path: `${given.path.slice(0, PATH_LENGTH_MAX)}…` } : given
    this.#kept[this.#next] = entry
    this.#next = (this.#next + 1) % AUDIT_MAX
    try {
      this.#tell?.(entry)
    } catch {
      // A log that fails must not fail the request that it tells of.
    }
  }

  /** The last ones, the oldest first. */
  last(count: number): readonly AuditEntry[] {
    return [...this.#kept.slice(this.#next), ...this.#kept.slice(0, this.#next)].slice(-count)
  }
}
