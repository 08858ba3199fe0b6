import type { TroupeError } from '../ground/errors.js'
import type { Envelope } from './envelope.js'
import { replyEntry } from './ledger.js'
import { STORE_RETRY_MS } from './limits.js'
import type { Parts } from './parts.js'
import { isStoreFailure } from './store/store.js'

/** A durable actor need not come back to an envelope; its asker, if it is durable, must hear of that. */
export function setAside(parts: Omit<Parts, 'post'>, envelope: Envelope, told: TroupeError | undefined): void {
  const { router, clock, log, replies } = parts
  const { from, to, sequence, correlation } = envelope
  const outcome = { ok: false, error: told } as const
  const now = clock.now()
  const answer = told === undefined || correlation === 0 || sequence === 0 ? [] : [replyEntry(parts.nodes, from, sequence, correlation, outcome, now)]
  router.awake(to)?.ledger?.deal(envelope, answer).then(
    (numbers) => {
      if (told === undefined || answer.length === 0) return
      router.awake(from)?.ledger?.replied(sequence, correlation, outcome, now, numbers[0] as number)
      // It may have come back to its ask since it was told.
      replies.fail(correlation, told)
    },
    (error: unknown) => {
      if (isStoreFailure(error)) clock.timer(STORE_RETRY_MS, () => setAside(parts, envelope, told), true)
      else log(to, ['could not set an envelope aside:', error])
    },
  )
}
