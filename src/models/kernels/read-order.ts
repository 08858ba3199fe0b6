/** Lines in the order in which a person reads them, whichever way the page lies. */
import type { Box } from './read-boxes.js'

interface Placed {
  readonly text: string
  readonly box: Box
}

/** Lines whose middles are nearer than this share of their height stand beside each other. */
const SAME_ROW = 0.5

/** Rows from top to bottom, each from left to right, seen as the lines are written. */
export function inReadingOrder<L extends Placed>(lines: readonly L[]): L[][] {
  const slant = commonSlant(lines)
  const placed = lines.map((line) => ({ line, ...placeOf(line.box, slant) })).sort((a, b) => a.y - b.y)
  const rows: (typeof placed)[] = []
  for (const next of placed) {
    const row = rows.at(-1)
    const last = row?.at(-1)
    if (row !== undefined && last !== undefined && next.y - last.y < SAME_ROW * Math.min(next.height, last.height)) row.push(next)
    else rows.push([next])
  }
  return rows.map((row) => row.sort((a, b) => a.x - b.x).map(({ line }) => line))
}

/** The text of a page: rows under each other, what stands in one row parted by a space. */
export const pageText = (rows: readonly (readonly Placed[])[]): string => rows.map((row) => row.map(({ text }) => text).join(' ')).join('\n')

/** The direction in which the page is written, in radians: that of its lines, longer ones counting for more. */
function commonSlant(lines: readonly Placed[]): number {
  const directions = lines.map(({ box: [from, to] }) => ({ x: to.x - from.x, y: to.y - from.y }))
  const long = directions.toSorted((a, b) => Math.hypot(b.x, b.y) - Math.hypot(a.x, a.y)).slice(0, Math.ceil(directions.length / 2))
  // The middle one of the longer half: neither a stamp set askew nor a short line measured badly turns the page.
  const first = long[0]
  if (first === undefined) return 0
  const base = Math.atan2(first.y, first.x)
  const turns = long.map(({ x, y }) => Math.atan2(y * Math.cos(base) - x * Math.sin(base), x * Math.cos(base) + y * Math.sin(base))).sort((a, b) => a - b)
  return base + (turns[Math.floor(turns.length / 2)] as number)
}

/** Where a line stands once the page is turned upright. */
function placeOf(box: Box, slant: number): { x: number; y: number; height: number } {
  const [cos, sin] = [Math.cos(slant), Math.sin(slant)]
  const upright = box.map(({ x, y }) => ({ x: x * cos + y * sin, y: y * cos - x * sin }))
  const ys = upright.map(({ y }) => y)
  const height = Math.hypot(box[3].x - box[0].x, box[3].y - box[0].y)
  return { x: Math.min(...upright.map(({ x }) => x)), y: (Math.min(...ys) + Math.max(...ys)) / 2, height: Math.max(1, height) }
}
