/** One line of text: cut out of its image, upright and of the height that the recogniser takes, and read from its answer. */
import { LINE_WIDTH_MAX } from '../limits.js'
import type { Pixels } from '../pixels.js'
import type { Box, Point } from './read-boxes.js'

/** The recogniser takes lines of this height. */
export const LINE_HEIGHT = 48
/** A letter is hardly narrower than this, so that a line has room for one. */
const LINE_WIDTH_MIN = 16
/** More samples for a pixel than this each way make no difference that the recogniser sees. */
const SAMPLES_MAX = 4

const distance = (a: Point, b: Point): number => Math.hypot(b.x - a.x, b.y - a.y)

/** How wide a line is once it has the recogniser's height. */
export function widthOf([topLeft, topRight, , bottomLeft]: Box): number {
  const width = (distance(topLeft, topRight) / Math.max(1, distance(topLeft, bottomLeft))) * LINE_HEIGHT
  return Math.min(LINE_WIDTH_MAX, Math.max(LINE_WIDTH_MIN, Math.round(width)))
}

/**
 * Writes what is inside a box, scaled to `width × LINE_HEIGHT`, into the rows of a batch at `row`: planes of blue, green
 * and red between -1 and 1, as the recogniser was trained. What lies right of it stays 0, the middle grey of its training.
 */
export function cutOut(image: Pixels, box: Box, { into, row, width, widthMax }: { readonly into: Float32Array; readonly row: number; readonly width: number; readonly widthMax: number }): void {
  const [from, right, , below] = box
  const samples = Math.min(SAMPLES_MAX, Math.max(1, Math.ceil(distance(from, below) / LINE_HEIGHT - 0.25)))
  const along = { x: (right.x - from.x) / (width * samples), y: (right.y - from.y) / (width * samples) }
  const down = { x: (below.x - from.x) / (LINE_HEIGHT * samples), y: (below.y - from.y) / (LINE_HEIGHT * samples) }
  const plane = LINE_HEIGHT * widthMax
  const sum = new Float32Array(3)
  for (let y = 0; y < LINE_HEIGHT; y++) {
    for (let x = 0; x < width; x++) {
      sum.fill(0)
      for (let v = y * samples; v < (y + 1) * samples; v++) {
        for (let u = x * samples; u < (x + 1) * samples; u++) {
          addSample(image, from.x + (u + 0.5) * along.x + (v + 0.5) * down.x, from.y + (u + 0.5) * along.y + (v + 0.5) * down.y, sum)
        }
      }
      const at = row * 3 * plane + y * widthMax + x
      const scale = 127.5 * samples * samples
      into[at] = (sum[2] as number) / scale - 1
      into[at + plane] = (sum[1] as number) / scale - 1
      into[at + 2 * plane] = (sum[0] as number) / scale - 1
    }
  }
}

/** Adds the colour at a point between pixels; beyond the rim the rim goes on. */
function addSample({ width, height, data }: Pixels, x: number, y: number, sum: Float32Array): void {
  const fx = Math.min(width - 1, Math.max(0, x - 0.5))
  const fy = Math.min(height - 1, Math.max(0, y - 0.5))
  const x0 = Math.floor(fx)
  const y0 = Math.floor(fy)
  const dx = fx - x0
  const dy = fy - y0
  const right = x0 + 1 < width ? 3 : 0
  const below = y0 + 1 < height ? 3 * width : 0
  const at = 3 * (y0 * width + x0)
  for (let c = 0; c < 3; c++) {
    const i = at + c
    const upper = (data[i] as number) * (1 - dx) + (data[i + right] as number) * dx
    const lower = (data[i + below] as number) * (1 - dx) + (data[i + right + below] as number) * dx
    sum[c] = (sum[c] as number) + upper * (1 - dy) + lower * dy
  }
}

export interface Read {
  readonly text: string
  /** Mean likelihood of the characters; 0 when there are none. */
  readonly score: number
}

/**
 * The recogniser was trained on Chinese, which has no spaces, and often only suspects one: it says "none" between two
 * words, but the space comes next with more than this, and with a hundredth of it between letters of a word.
 */
const SPACE_SUSPECTED = 0.03
/** Scripts that part words by spaces. */
const SPACED = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Number}\p{Punctuation}\p{Symbol}]/u
/** Characters of the same kind as Han stand closer than a space, whatever is suspected. */
const UNSPACED = /[\p{Script=Han}\u3000-\u303f\uff00-\uffef]/u

/**
 * What a recogniser's likelihoods say (connectionist temporal classification): steps × classes, class 0 being none and
 * the last one the space.
 */
export function readSteps(steps: Float32Array, classes: number, alphabet: readonly string[]): Read {
  let text = ''
  let sum = 0
  let count = 0
  let last = 0
  let space = 0
  for (let at = 0; at < steps.length; at += classes) {
    let best = 0
    for (let c = 1; c < classes; c++) if ((steps[at + c] as number) > (steps[at + best] as number)) best = c
    // The same character in neighbouring steps is one; twice the same has an empty step between.
    if (best === 0) space = Math.max(space, steps[at + classes - 1] as number)
    else if (best !== last) {
      const character = alphabet[best - 1] ?? ''
      if (space > SPACE_SUSPECTED && parted(text.at(-1), character)) text += ' '
      space = 0
      text += character
      sum += steps[at + best] as number
      count++
    }
    last = best
  }
  return { text, score: count === 0 ? 0 : sum / count }
}

const parted = (before: string | undefined, after: string): boolean => [before ?? '', after].every((character) => SPACED.test(character) && !UNSPACED.test(character))
