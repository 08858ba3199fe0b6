/** How well predictions match: accuracy, F1 averaged over intents, and whether scores mean what they say. */
import type { Evaluated } from './protocol.js'

export interface Judged {
  readonly expected: string
  readonly given: string
  /** Of the intent given. */
  readonly score: number
}

const BINS = 10

export function figuresOf(judged: readonly Judged[]): Evaluated {
  const names = [...new Set(judged.map(({ expected }) => expected))].toSorted()
  const wanted = countsOf(judged, ({ expected }) => expected)
  const given = countsOf(judged, (each) => each.given)
  const hits = countsOf(judged.filter(isRight), ({ expected }) => expected)
  const perIntent = names.map((intent) => {
    const [asked, answered, hit] = [wanted, given, hits].map((counts) => counts.get(intent) ?? 0) as [number, number, number]
    return { intent, precision: ratio(hit, answered), recall: ratio(hit, asked), f1: ratio(2 * hit, answered + asked), examples: asked }
  })
  return {
    accuracy: ratio(judged.filter(isRight).length, judged.length),
    macroF1: ratio(perIntent.reduce((sum, { f1 }) => sum + f1, 0), names.length),
    calibrationError: calibrationError(judged),
    examples: judged.length,
    perIntent,
  }
}

const isRight = ({ expected, given }: Judged): boolean => expected === given
const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)

function countsOf(judged: readonly Judged[], nameOf: (each: Judged) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const each of judged) counts.set(nameOf(each), (counts.get(nameOf(each)) ?? 0) + 1)
  return counts
}

/** How far, on average, the score of an answer is from how often such answers are right. */
function calibrationError(judged: readonly Judged[]): number {
  const bins = Array.from({ length: BINS }, () => ({ score: 0, right: 0 }))
  for (const each of judged) {
    const bin = bins[Math.min(BINS - 1, Math.floor(each.score * BINS))]
    if (bin === undefined) continue
    bin.score += each.score
    bin.right += isRight(each) ? 1 : 0
  }
  return ratio(bins.reduce((sum, { score, right }) => sum + Math.abs(score - right), 0), judged.length)
}
