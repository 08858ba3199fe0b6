/** From the likelihood of speech, frame by frame, to stretches of speech. Pure: the same frames always give the same. */

export interface SpeechSegment {
  readonly startMs: number
  readonly endMs: number
  /** Mean likelihood of speech. */
  readonly score: number
}

export interface SpeechOptions {
  /** A frame at least this likely begins speech. Default 0.5. */
  readonly speechMin?: number
  /** A frame less likely than this may end it; between the two it goes on. Default 0.35. */
  readonly silenceMax?: number
  /** Shorter stretches are noises. Default 250. */
  readonly minSpeechMs?: number
  /** Shorter pauses do not part speech. Default 300. */
  readonly minSilenceMs?: number
  /** What is added before and after, so that no sound is cut. Default 60. */
  readonly padMs?: number
  /** A longer stretch is cut at its quietest moment. Default 30,000, which is what speech recognisers hear at once. */
  readonly segmentMaxMs?: number
}

interface Open {
  readonly start: number
  sum: number
  /** Frames since `start`. */
  count: number
  /** The first frame of the silence at hand, and what was summed up to there. */
  quietFrom: number | undefined
  quietSum: number
  /** The least likely frame of the second half, for a cut. */
  cutAt: number
  cutLikelihood: number
  cutSum: number
}

/** What is known between two parts of one sound, as plain data. */
export interface SpeechState {
  /** Frames seen. */
  at: number
  open: Open | undefined
  /** Where the last stretch ended, padding included: the next does not reach back over it. */
  lastEndMs: number
}

export const noSpeech = (): SpeechState => ({ at: 0, open: undefined, lastEndMs: 0 })

/** Takes one frame into account; gives the stretch that it ends, if it does. */
export function heard(state: SpeechState, likelihood: number, frameMs: number, options: SpeechOptions): SpeechSegment | undefined {
  const { speechMin = 0.5, silenceMax = Math.min(0.35, speechMin), minSilenceMs = 300, segmentMaxMs = 30_000 } = options
  const frame = state.at++
  const { open } = state
  if (open === undefined) {
    if (likelihood >= speechMin) state.open = opened(frame, likelihood)
    return undefined
  }
  open.sum += likelihood
  open.count++
  if (likelihood >= speechMin) open.quietFrom = undefined
  else if (likelihood < silenceMax && open.quietFrom === undefined) {
    open.quietFrom = frame
    open.quietSum = open.sum - likelihood
  }
  if (open.quietFrom !== undefined && (frame + 1 - open.quietFrom) * frameMs >= minSilenceMs) {
    state.open = undefined
    return closed(state, open, open.quietFrom, open.quietSum, frameMs, options)
  }
  if (open.count * frameMs * 2 >= segmentMaxMs && likelihood <= open.cutLikelihood) Object.assign(open, { cutAt: frame, cutLikelihood: likelihood, cutSum: open.sum })
  return (open.count + 1) * frameMs > segmentMaxMs ? cut(state, open, frameMs, options) : undefined
}

/** The sound is over: the stretch that is open ends with it. */
export function ended(state: SpeechState, frameMs: number, options: SpeechOptions): SpeechSegment | undefined {
  const { open } = state
  if (open === undefined) return undefined
  state.open = undefined
  return open.quietFrom === undefined ? closed(state, open, state.at, open.sum, frameMs, options) : closed(state, open, open.quietFrom, open.quietSum, frameMs, options)
}

const opened = (frame: number, likelihood: number): Open => ({ start: frame, sum: likelihood, count: 1, quietFrom: undefined, quietSum: 0, cutAt: frame, cutLikelihood: Infinity, cutSum: 0 })

/** Ends a stretch at its quietest moment; what follows is the next one. */
function cut(state: SpeechState, open: Open, frameMs: number, options: SpeechOptions): SpeechSegment | undefined {
  const end = open.cutAt + 1
  state.open = { ...opened(end, 0), sum: open.sum - open.cutSum, count: state.at - end, quietFrom: open.quietFrom === undefined ? undefined : Math.max(end, open.quietFrom), quietSum: Math.max(0, open.quietSum - open.cutSum) }
  return closed(state, open, end, open.cutSum, frameMs, { ...options, padMs: 0, minSpeechMs: 0 })
}

function closed(state: SpeechState, { start }: Open, end: number, sum: number, frameMs: number, { minSpeechMs = 250, padMs = 60 }: SpeechOptions): SpeechSegment | undefined {
  if ((end - start) * frameMs < minSpeechMs) return undefined
  const startMs = Math.max(state.lastEndMs, start * frameMs - padMs)
  const endMs = Math.min(end * frameMs + padMs, state.at * frameMs)
  state.lastEndMs = endMs
  return { startMs, endMs, score: end === start ? 0 : sum / (end - start) }
}
