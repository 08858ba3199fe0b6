/**
 * From a map that says how likely each pixel is text to the boxes of the lines: the post-processing of differentiable
 * binarisation (DB), as PP-OCR's detection model needs it. Pure geometry.
 */
import { BOXES_MAX } from '../limits.js'

export interface Point {
  readonly x: number
  readonly y: number
}
/** Corners in reading order of the text: top left, top right, bottom right, bottom left. */
export type Box = readonly [Point, Point, Point, Point]

export interface Found {
  readonly box: Box
  /** Mean likelihood of text inside. */
  readonly score: number
}

export interface TextMap {
  readonly width: number
  readonly height: number
  readonly data: Float32Array
}

/** A pixel above this is text. */
const PIXEL_MIN = 0.3
/** A box whose pixels are on average below this is none. */
const BOX_MIN = 0.6
/** The model is trained to mark the core of a line; a box grows by this share of its area per length of its rim. */
const GROWTH = 1.6
/** Smaller boxes hold nothing that can be read. */
const SIDE_MIN = 3

/** The lines of text that a map shows. */
export function boxesOf(map: TextMap): Found[] {
  const found: Found[] = []
  for (const hull of blobsOf(map)) {
    const rect = smallestRect(hull)
    if (Math.min(rect.width, rect.height) < SIDE_MIN) continue
    const score = meanInside(map, rect)
    if (score < BOX_MIN) continue
    const growth = (rect.width * rect.height * GROWTH) / (2 * (rect.width + rect.height))
    const grown = { ...rect, width: rect.width + 2 * growth, height: rect.height + 2 * growth }
    if (Math.min(grown.width, grown.height) < SIDE_MIN + 2) continue
    found.push({ box: cornersOf(grown), score })
    if (found.length === BOXES_MAX) break
  }
  return found
}

/** The convex hull of each connected patch of text. */
function* blobsOf({ width, height, data }: TextMap): Generator<Point[]> {
  const seen = new Uint8Array(width * height)
  const stack: number[] = []
  for (let start = 0; start < data.length; start++) {
    if (seen[start] === 1 || (data[start] as number) <= PIXEL_MIN) continue
    // Per row, the outermost pixels: all that a hull needs.
    const left = new Map<number, number>()
    const right = new Map<number, number>()
    seen[start] = 1
    stack.push(start)
    while (stack.length > 0) {
      const at = stack.pop() as number
      const y = Math.floor(at / width)
      const x = at - y * width
      if (x < (left.get(y) ?? Infinity)) left.set(y, x)
      if (x > (right.get(y) ?? -1)) right.set(y, x)
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const next = ny * width + nx
          if (seen[next] === 1 || (data[next] as number) <= PIXEL_MIN) continue
          seen[next] = 1
          stack.push(next)
        }
      }
    }
    // Pixels are squares: their outer corners, not their centres, span the patch.
    const points = [...left].flatMap(([y, x]) => [{ x, y }, { x, y: y + 1 }, { x: (right.get(y) as number) + 1, y }, { x: (right.get(y) as number) + 1, y: y + 1 }])
    yield hullOf(points)
  }
}

/** Andrew's monotone chain. */
function hullOf(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a.x - b.x || a.y - b.y)
  const half = (line: readonly Point[]): Point[] => {
    const chain: Point[] = []
    for (const point of line) {
      while (chain.length > 1 && cross(chain.at(-2) as Point, chain.at(-1) as Point, point) <= 0) chain.pop()
      chain.push(point)
    }
    return chain.slice(0, -1)
  }
  return [...half(sorted), ...half(sorted.reverse())]
}

const cross = (o: Point, a: Point, b: Point): number => (a.x - o.x) * (b.y - o.y) - (a.y - o.y) * (b.x - o.x)

/** A rectangle by its middle, its sides, and how far it is turned, in radians between -45° and 45°. */
interface Rect {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  readonly angle: number
}

/** The smallest rectangle around a hull has a side along one of the hull's edges. */
function smallestRect(hull: readonly Point[]): Rect {
  let best: Rect | undefined
  for (const [i, from] of hull.entries()) {
    const to = hull[(i + 1) % hull.length] as Point
    const rect = rectAlong(hull, quarterTurned(Math.atan2(to.y - from.y, to.x - from.x)))
    if (best === undefined || rect.width * rect.height < best.width * best.height - 1e-9) best = rect
  }
  return best ?? { x: 0, y: 0, width: 0, height: 0, angle: 0 }
}

/** The same direction of sides, as near to upright as quarter turns allow. */
const quarterTurned = (angle: number): number => angle - Math.round(angle / (Math.PI / 2)) * (Math.PI / 2)

function rectAlong(points: readonly Point[], angle: number): Rect {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity]
  for (const { x, y } of points) {
    const along = x * cos + y * sin
    const across = y * cos - x * sin
    left = Math.min(left, along)
    right = Math.max(right, along)
    top = Math.min(top, across)
    bottom = Math.max(bottom, across)
  }
  const [along, across] = [(left + right) / 2, (top + bottom) / 2]
  return { x: along * cos - across * sin, y: along * sin + across * cos, width: right - left, height: bottom - top, angle }
}

function cornersOf({ x, y, width, height, angle }: Rect): Box {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  const corner = (along: number, across: number): Point => ({ x: x + along * cos - across * sin, y: y + along * sin + across * cos })
  return [corner(-width / 2, -height / 2), corner(width / 2, -height / 2), corner(width / 2, height / 2), corner(-width / 2, height / 2)]
}

function meanInside({ width, height, data }: TextMap, rect: Rect): number {
  const corners = cornersOf(rect)
  const range = (values: readonly number[], end: number): [number, number] => [Math.max(0, Math.floor(Math.min(...values))), Math.min(end - 1, Math.ceil(Math.max(...values)))]
  const [left, right] = range(corners.map(({ x }) => x), width)
  const [top, bottom] = range(corners.map(({ y }) => y), height)
  const [cos, sin] = [Math.cos(rect.angle), Math.sin(rect.angle)]
  let [sum, count] = [0, 0]
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const [dx, dy] = [x + 0.5 - rect.x, y + 0.5 - rect.y]
      if (Math.abs(dx * cos + dy * sin) > rect.width / 2 || Math.abs(dy * cos - dx * sin) > rect.height / 2) continue
      sum += data[y * width + x] as number
      count++
    }
  }
  return count === 0 ? 0 : sum / count
}
