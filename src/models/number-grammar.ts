/** The numbers of a range as a grammar rule, so that a text under a schema cannot leave the range. */

export interface NumberRange {
  /** Least and greatest value, both allowed. */
  readonly low: number
  readonly high: number
  readonly whole: boolean
}

/** Below this span, numbers are written out with two decimals: the bounds may then lie anywhere. */
const LISTED_SPAN = 5
const DECIMALS = 6

/** An EBNF expression, or nothing when the range is empty. */
export function numberRule({ low, high, whole }: NumberRange): string | undefined {
  if (!whole && high - low <= LISTED_SPAN) return listed(low, high)
  const [from, to] = [Math.ceil(low), Math.floor(high)]
  const choices = signed(from, to)
  if (!whole) {
    const fraction = `"." [0-9]{1,${DECIMALS}}`
    // 3.9 lies above 3 and -3.9 below -3, so the last whole number on either side takes no decimals.
    if (to - 1 >= Math.max(0, from)) choices.push(`(${between(Math.max(0, from), to - 1)}) ${fraction}`)
    if (-from - 1 >= Math.max(0, -to)) choices.push(`"-" (${between(Math.max(0, -to), -from - 1)}) ${fraction}`)
  }
  return choices.length === 0 ? undefined : choices.join(' | ')
}

function listed(low: number, high: number): string | undefined {
  const choices: string[] = []
  for (let hundredths = Math.ceil(low * 100); hundredths <= Math.floor(high * 100); hundredths++) choices.push(`"${hundredths / 100}"`)
  return choices.length === 0 ? undefined : choices.join(' | ')
}

function signed(from: number, to: number): string[] {
  const choices: string[] = []
  if (to >= Math.max(0, from)) choices.push(between(Math.max(0, from), to))
  if (-from >= Math.max(1, -to)) choices.push(`"-" (${between(Math.max(1, -to), -from)})`)
  return choices
}

/** Whole numbers without a sign, from one to another. */
function between(from: number, to: number): string {
  const choices: string[] = []
  for (let start = from; start <= to; ) {
    const length = String(start).length
    const end = Math.min(to, 10 ** length - 1)
    choices.push(sameLength(String(start), String(end)))
    start = end + 1
  }
  return choices.join(' | ')
}

function sameLength(from: string, to: string): string {
  if (from === to) return `"${from}"`
  const [first, last] = [Number(from[0]), Number(to[0])]
  if (from.length === 1) return `[${first}-${last}]`
  const [rest, toRest] = [from.slice(1), to.slice(1)]
  const zeros = '0'.repeat(rest.length)
  const nines = '9'.repeat(rest.length)
  if (first === last) return `"${first}" (${sameLength(rest, toRest)})`
  const choices: string[] = []
  const [inner, innerLast] = [rest === zeros ? first : first + 1, toRest === nines ? last : last - 1]
  if (rest !== zeros) choices.push(`"${first}" (${sameLength(rest, nines)})`)
  if (inner <= innerLast) choices.push(`[${inner}-${innerLast}] [0-9]{${rest.length}}`)
  if (toRest !== nines) choices.push(`"${last}" (${sameLength(zeros, toRest)})`)
  return choices.join(' | ')
}
