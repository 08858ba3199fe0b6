/** Pure: a failure, the failures before it and the policy give the decision. */
import { milliseconds, type Duration } from '../ground/duration.js'

/** What a supervisor does when its actor fails. */
export type Directive = 'resume' | 'restart' | 'stop' | 'escalate'

/** Whom a restart takes along: the failed child, all children, or those started after it too. */
export type Strategy = 'one-for-one' | 'one-for-all' | 'rest-for-one'

export interface SupervisionPolicy {
  /** One directive, or a choice by the error. Default `restart`. */
  readonly onFailure?: Directive | ((error: unknown) => Directive)
  /** Restarts allowed within a time; one more escalates. Default 10 within a minute. */
  readonly intensity?: { readonly restarts: number; readonly within: Duration }
  /** The pause before a restart: `first`, doubled each time up to `most`, less up to a `jitter` share. Default none, 100 ms, 10 s, 0.2. */
  readonly backoff?: { readonly first: Duration; readonly most?: Duration; readonly jitter?: number }
}

export type Decision =
  | { readonly kind: 'resume' }
  | { readonly kind: 'restart'; readonly delayMs: number }
  | { readonly kind: 'stop' }
  | { readonly kind: 'escalate'; readonly why: 'policy' | 'intensity' }

const DEFAULT_INTENSITY = { restarts: 10, within: '1m' } as const
const DEFAULT_MOST_MS = 10_000
const DEFAULT_JITTER = 0.2

/** When each restart that still counts took place, oldest first: at most `restarts` of them. */
export type RestartHistory = number[]

/**
 * Decides about one failure at time `now`, and notes a restart in `history`.
 * `chance` in [0, 1) picks the jitter. What failed before it had `started` has nothing to resume: it starts anew.
 */
export function decide(policy: SupervisionPolicy, history: RestartHistory, error: unknown, now: number, chance: number, started = true): Decision {
  const wanted = typeof policy.onFailure === 'function' ? policy.onFailure(error) : (policy.onFailure ?? 'restart')
  const directive = wanted === 'resume' && !started ? 'restart' : wanted
  if (directive === 'escalate') return { kind: 'escalate', why: 'policy' }
  if (directive !== 'restart') return { kind: directive }
  const { restarts, within } = policy.intensity ?? DEFAULT_INTENSITY
  const since = now - milliseconds(within)
  while (history.length > 0 && (history[0] as number) <= since) history.shift()
  if (history.length >= restarts) return { kind: 'escalate', why: 'intensity' }
  const delayMs = backoff(policy, history.length, chance)
  history.push(now)
  return { kind: 'restart', delayMs }
}

/** Whether an envelope that has failed so often before is handled once more. */
export function retries(wanted: { readonly retries?: number; readonly retryWhen?: (error: unknown) => boolean }, usual: number, triesBefore: number, error: unknown): boolean {
  if (triesBefore >= (wanted.retries ?? usual)) return false
  try {
    return wanted.retryWhen?.(error) ?? true
  } catch {
    return false
  }
}

/** The same for any policy: one that fails decides nothing, and ending the actor is the one choice that cannot loop. */
export function decideSafely(...[policy = {}, ...failure]: [SupervisionPolicy | undefined, ...Rest<Parameters<typeof decide>>]): Decision {
  try {
    return decide(policy, ...failure)
  } catch {
    return { kind: 'stop' }
  }
}
type Rest<T extends readonly unknown[]> = T extends readonly [unknown, ...infer R] ? R : never

/** Exponential backoff with jitter taken off, so that `most` is never passed. */
function backoff(policy: SupervisionPolicy, restartsBefore: number, chance: number): number {
  if (policy.backoff === undefined) return 0
  const { first, most = DEFAULT_MOST_MS, jitter = DEFAULT_JITTER } = policy.backoff
  const full = Math.min(milliseconds(most), milliseconds(first) * 2 ** restartsBefore)
  return full * (1 - jitter * chance)
}

/** Which of the siblings, in the order of their start, a restart takes along. */
export function affected<T>(strategy: Strategy, siblings: readonly T[], failed: T): readonly T[] {
  switch (strategy) {
    case 'one-for-one':
      return [failed]
    case 'one-for-all':
      return siblings
    case 'rest-for-one':
      return siblings.slice(siblings.indexOf(failed))
  }
}
