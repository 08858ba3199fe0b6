import { TroupeError } from './errors.js'

/** A span of time: milliseconds, or a number with its unit, such as `'250ms'`, `'2s'`, `'5m'`, `'1h'`, `'3d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of a duration; `InvalidDefinition` when it is no finite, non-negative span. */
export function milliseconds(duration: Duration): number {
  if (typeof duration === 'number' && duration >= 0 && duration < Infinity) return duration
  const parts = typeof duration === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration) : null
  if (parts === null) {
    throw new TroupeError('InvalidDefinition', `${JSON.stringify(duration)} is no duration`, "write milliseconds or a number with ms, s, m, h or d, such as '2s'")
  }
  return Number(parts[1]) * (UNIT_MS[parts[2] as string] as number)
}
