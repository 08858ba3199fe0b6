/** How well predictions match: accuracy, and F1 averaged over intents. */
import type { Evaluated } from './protocol.js'

export interface Judged {
  readonly expected: string
  readonly given: string
}

export function figuresOf(judged: readonly Judged[]): Evaluated {
  const names = [...new Set(judged.map(({ expected }) => expected))].toSorted()
  const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)
  const perIntent = names.map((intent) => {
    const wanted = judged.filter(({ expected }) => expected === intent).length
    const given = judged.filter((each) => each.given === intent).length
    const hits = judged.filter((each) => each.given === intent && each.expected === intent).length
    return { intent, precision: ratio(hits, given), recall: ratio(hits, wanted), f1: ratio(2 * hits, given + wanted), examples: wanted }
  })
  return {
    accuracy: ratio(judged.filter(({ expected, given }) => expected === given).length, judged.length),
    macroF1: ratio(perIntent.reduce((sum, { f1 }) => sum + f1, 0), names.length),
    examples: judged.length,
    perIntent,
  }
}
