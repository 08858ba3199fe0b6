/** What `image` takes and gives. */
import { protocol, request, stream } from '../../runtime/index.js'
import { bytes, payload } from '../blobs.js'
import { count, kinds, list, number, optional, record, string, vector, type Shaped } from '../shape.js'

const point = record({ x: number, y: number })
const line = record({
  text: string,
  /** Four corners in pixels, in the reading order of the text: top left, top right, bottom right, bottom left. */
  box: list(point),
  score: number,
})

const reading = record({
  /** Rows under each other; lines that stand beside each other are parted by a space. */
  text: string,
  lines: list(line),
  width: number,
  height: number,
})

const label = record({ label: string, score: number })

const frame = kinds({
  /** A picture as a JPEG file. */
  frame: { atMs: number, image: bytes },
  done: { frames: number },
})

export type ImageReading = Shaped<typeof reading>
export type ImageLine = Shaped<typeof line>
export type Label = Shaped<typeof label>
export type VideoFrame = Shaped<typeof frame>

/** An image is the bytes of its file (PNG, JPEG, GIF, WebP, TIFF or AVIF), or a ref to a blob of them. */
export const Image = protocol({
  /** Text in an image, English and Chinese. */
  read: request(record({ image: payload }), reading),
  /** The best `top` labels (default 5). */
  classify: request(record({ image: payload, top: optional(count) }), record({ labels: list(label) })),
  caption: request(record({ image: payload, maxTokens: optional(count) }), record({ text: string })),
  embed: request(record({ image: payload }), record({ vector })),
  /** Pictures of a video, one each `everyMs` (default 1,000), at most `framesMax` (default 600). Needs ffmpeg. */
  frames: stream(record({ video: payload, everyMs: optional(count), framesMax: optional(count) }), frame),
})
