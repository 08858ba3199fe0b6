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

export function likeliest(logits: Float32Array): number {
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
  // A token below this is never drawn at any usual temperature, and leaving it out keeps the sort short.
  const floor = minP !== undefined && minP > 0 ? highest + temperature * Math.log(minP) : highest - 30 * temperature
  const candidates: number[] = []
  for (let i = 0; i < logits.length; i++) if ((logits[i] as number) >= floor) candidates.push(i)
  candidates.sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b)
  if (topK !== undefined && topK > 0 && candidates.length > topK) candidates.length = topK
  const weights = candidates.map((id) => Math.exp(((logits[id] as number) - highest) / temperature))
  let total = weights.reduce((sum, weight) => sum + weight, 0)
  if (topP !== undefined && topP < 1) {
    let reached = 0
    let kept = 0
    while (kept < weights.length && (kept === 0 || reached < topP * total)) reached += weights[kept++] as number
    candidates.length = kept
    total = reached
  }
  let left = chance() * total
  for (const [at, id] of candidates.entries()) {
    left -= weights[at] as number
    if (left < 0) return id
  }
  return candidates.at(-1) as number
}
