/** What is written down of each exchange: for operators in the audit log and the figures, for ourselves in the log. */
import type { Clock } from '../../ground/clock.js'
import type { TroupeError } from '../../ground/errors.js'
import type { Audit } from './audit.js'
import type { Exchange } from './exchange.js'
import type { Metrics } from './metrics.js'
import { statusOf } from './statuses.js'

export class Record {
  readonly #audit: Audit
  readonly #metrics: Metrics
  readonly #clock: Clock
  readonly #log: (...words: readonly unknown[]) => void

  constructor(audit: Audit, metrics: Metrics, clock: Clock, log: (...words: readonly unknown[]) => void) {
    this.#audit = audit
    this.#metrics = metrics
    this.#clock = clock
    this.#log = log
  }

  note(exchange: Exchange, status: number, code?: string): void {
    // The library tells some errors twice.
    if (exchange.noted) return
    exchange.noted = true
    const ms = this.#clock.elapsed() - exchange.began
    this.#metrics.request(status, code, ms)
    const { at, caller, raw, method, path, type } = exchange
    this.#audit.add({ at, who: status === 401 ? 'unknown' : caller.name, remote: raw.socket.remoteAddress ?? '', method, path, type, status, code, ms })
  }

  /** Of what was no request at all. */
  noise(remote: string, status: number): void {
    this.#metrics.request(status, 'InvalidMessage', 0)
    this.#audit.add({ at: this.#clock.now(), who: 'unknown', remote, method: '', path: '', type: undefined, status, code: 'InvalidMessage', ms: 0 })
  }

  /** What a caller does not get to see. */
  report(error: TroupeError, thrown: unknown): void {
    if (statusOf(error) === 500) this.#log(`${error.code}: ${error.message}`, error.cause ?? thrown)
  }
}
