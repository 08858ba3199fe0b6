/** Logits to the next token. Chance comes from the request's own seed, so the same seed draws the same. */

export interface Sampling {
  /** 0, the default, always takes the likeliest token. */
  readonly temperature?: number
  /** Draw among this many likeliest tokens only. */
  readonly topK?: number
  /** Draw among the likeliest tokens that together reach this probability. */
  readonly topP?: number
  /** Draw among tokens at least this fraction as likely as the likeliest. */
  readonly minP?: number
  /** Above 1, makes tokens that were already written or prompted less likely. */
  readonly repetitionPenalty?: number
  /** Added to the logits of these token ids before anything is drawn. */
  readonly logitBias?: Readonly<Record<number, number>>
  /** Draws the same for the same prompt when run alone. */
  readonly seed?: number
}

/** A small generator of chance (mulberry32): uniform numbers in [0, 1), the same for the same seed. */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Chooses the next token; may change `logits`. `seen` are the tokens of the prompt and the answer so far. */
export function sample(logits: Float32Array, sampling: Sampling, chance: () => number, seen: Iterable<number>): number {
  penalize(logits, sampling.repetitionPenalty ?? 1, seen)
  for (const [id, bias] of Object.entries(sampling.logitBias ?? {})) {
    if (Number(id) < logits.length) logits[Number(id)] = (logits[Number(id)] as number) + bias
  }
  const temperature = sampling.temperature ?? 0
  if (temperature <= 0) return likeliest(logits)
  return draw(logits, temperature, sampling, chance)
}

/** The log-probability of one token, and the likeliest tokens with theirs. */
export function logprobsOf(logits: Float32Array, id: number, count: number): { own: number; top: { id: number; logprob: number }[] } {
  const highest = logits[likeliest(logits)] as number
  let sum = 0
  for (const logit of logits) sum += Math.exp(logit - highest)
  const total = highest + Math.log(sum)
  const top: number[] = []
  for (let each = 0; count > 0 && each < logits.length; each++) {
    if (top.length === count && (logits[each] as number) <= (logits[top[count - 1] as number] as number)) continue
    const place = top.findIndex((other) => (logits[each] as number) > (logits[other] as number))
    top.splice(place < 0 ? top.length : place, 0, each)
    if (top.length > count) top.pop()
  }
  return { own: (logits[id] as number) - total, top: top.map((each) => ({ id: each, logprob: (logits[each] as number) - total })) }
}

function likeliest(logits: Float32Array): number {
  let top = 0
  let best = logits[0] as number
  for (let i = 1; i < logits.length; i++) {
    const logit = logits[i] as number
    if (logit > best) {
      best = logit
      top = i
    }
  }
  return top
}

function penalize(logits: Float32Array, penalty: number, seen: Iterable<number>): void {
  if (penalty === 1) return
  for (const id of new Set(seen)) {
    const logit = logits[id] as number
    logits[id] = logit > 0 ? logit / penalty : logit * penalty
  }
}

function draw(logits: Float32Array, temperature: number, { topK, topP, minP }: Sampling, chance: () => number): number {
  const highest = logits[likeliest(logits)] as number
  const weights = new Float64Array(logits.length)
  let total = 0
  for (let id = 0; id < logits.length; id++) total += weights[id] = Math.exp(((logits[id] as number) - highest) / temperature)
  const narrowed = (topK !== undefined && topK > 0 && topK < logits.length) || (topP !== undefined && topP < 1) || (minP !== undefined && minP > 0)
  if (!narrowed) return pick(weights.keys(), weights, chance() * total)
  const { ids, sum } = nucleus(weights, total, { topK: topK !== undefined && topK > 0 ? topK : Infinity, topP: topP ?? 1, minP: minP ?? 0 })
  return pick(ids, weights, chance() * sum)
}

function pick(ids: Iterable<number>, weights: Float64Array, mark: number): number {
  let left = mark
  let last = 0
  for (const id of ids) {
    last = id
    left -= weights[id] as number
    if (left < 0) break
  }
  return last
}

/** Among the likeliest tokens first, then, if they are not enough, among all that a wider net catches: sorting a whole vocabulary is slow. */
const NETS = [1e-2, 1e-4, 1e-7, 0]

/** The likeliest tokens, best first, within all three limits. The likeliest has weight 1. */
function nucleus(weights: Float64Array, total: number, { topK, topP, minP }: { topK: number; topP: number; minP: number }): { ids: number[]; sum: number } {
  for (const net of NETS) {
    const ids: number[] = []
    for (let id = 0; id < weights.length; id++) if ((weights[id] as number) >= net && (weights[id] as number) >= minP) ids.push(id)
    ids.sort((a, b) => (weights[b] as number) - (weights[a] as number) || a - b)
    let sum = 0
    let kept = 0
    while (kept < ids.length && kept < topK && (kept === 0 || sum < topP * total)) sum += weights[ids[kept++] as number] as number
    const enough = kept < ids.length || kept >= topK || minP >= net || sum >= topP * total
    if (enough || net === 0) return { ids: ids.slice(0, kept), sum }
  }
  return { ids: [0], sum: 0 }
}
