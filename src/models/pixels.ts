/** Image files to pixels, in the thread that asks. The door to sharp, which comes with transformers.js. */
import { createRequire } from 'node:module'
import { TroupeError, describe } from '../ground/errors.js'
import { DECODE_SECONDS_MAX, IMAGE_BYTES_MAX, PIXELS_MAX } from './limits.js'

/** A decoded image: rows of red, green, blue, a byte each. */
export interface Pixels {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array
}

/** As much of sharp as is used here. */
interface Sharp {
  metadata(): Promise<{ format?: string; width: number; height: number }>
  timeout(options: { seconds: number }): Sharp
  autoOrient(): Sharp
  flatten(options: { background: string }): Sharp
  toColourspace(space: 'srgb'): Sharp
  removeAlpha(): Sharp
  resize(width: number, height: number, options: { fit: 'fill'; kernel: 'linear' }): Sharp
  raw(): Sharp
  toBuffer(options: { resolveWithObject: true }): Promise<{ data: Uint8Array; info: { width: number; height: number; channels: number } }>
}
interface SharpOptions {
  readonly limitInputPixels?: number
  readonly failOn?: 'error'
  readonly raw?: { readonly width: number; readonly height: number; readonly channels: 3 }
}
type MakeSharp = (input: Uint8Array, options: SharpOptions) => Sharp

export interface ImageLimits {
  /** Pixels of the decoded image. Default 40 million, which take 120 MB. */
  readonly pixelsMax?: number
  /** Bytes of the file. Default 50 million. */
  readonly bytesMax?: number
}


/**
 * Formats by their first bytes. What is not one of these never reaches a decoder: SVG and PDF are programs in disguise,
 * and the rarer the format, the less its decoder was attacked before we met it.
 */
const FORMATS: readonly (readonly [name: string, at: number, bytes: readonly number[]])[] = [
  ['PNG', 0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ['JPEG', 0, [0xff, 0xd8, 0xff]],
  ['GIF', 0, [0x47, 0x49, 0x46, 0x38]],
  ['WebP', 8, [0x57, 0x45, 0x42, 0x50]],
  ['TIFF', 0, [0x49, 0x49, 0x2a, 0x00]],
  ['TIFF', 0, [0x4d, 0x4d, 0x00, 0x2a]],
  ['AVIF', 4, [0x66, 0x74, 0x79, 0x70, 0x61, 0x76, 0x69]],
]
const SUPPORTED = [...new Set(FORMATS.map(([name]) => name))].join(', ')

const formatOf = (bytes: Uint8Array): string | undefined => FORMATS.find(([, at, magic]) => magic.every((byte, i) => bytes[at + i] === byte))?.[0]

let loaded: MakeSharp | undefined

function loadSharp(): MakeSharp {
  try {
    const own = createRequire(import.meta.url)
    return (loaded ??= createRequire(own.resolve('@huggingface/transformers'))('sharp') as MakeSharp)
  } catch (cause) {
    throw new TroupeError('MissingDependency', `images need sharp, which could not be loaded: ${describe(cause)}`, 'npm install @huggingface/transformers (sharp comes with it)', { dependency: 'sharp' }, cause)
  }
}

/** The first picture of an image file, turned as its camera said, on white where it is transparent. */
export async function decodeImage(bytes: unknown, { pixelsMax = PIXELS_MAX, bytesMax = IMAGE_BYTES_MAX }: ImageLimits = {}): Promise<Pixels> {
  if (!(bytes instanceof Uint8Array)) throw unusable(`an image is the bytes of its file, not ${bytes === null ? 'null' : typeof bytes}`)
  if (bytes.byteLength > bytesMax) throw unusable(`the image file has ${bytes.byteLength} bytes, at most ${bytesMax} are taken`, 'send a smaller image, or raise bytesMax')
  const format = formatOf(bytes)
  if (format === undefined) throw unusable('these bytes are no image of a known format')
  const sharp = loadSharp()
  try {
    // The limit is held against the header, before anything is decoded, and the decoder is told of it too.
    const { width, height } = await sharp(bytes, { limitInputPixels: pixelsMax, failOn: 'error' }).metadata()
    if (width * height > pixelsMax) throw tooLarge(pixelsMax, `${width} × ${height}`)
    const decoder = sharp(bytes, { limitInputPixels: pixelsMax, failOn: 'error' }).timeout({ seconds: DECODE_SECONDS_MAX })
    const { data, info } = await decoder.autoOrient().flatten({ background: '#ffffff' }).toColourspace('srgb').removeAlpha().raw().toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, data: info.channels === 3 ? data : inThreeChannels(data, info.channels) }
  } catch (thrown) {
    if (thrown instanceof TroupeError) throw thrown
    const reason = describe(thrown)
    if (/pixel limit/i.test(reason)) throw tooLarge(pixelsMax, 'its header says so')
    throw unusable(`the ${format} file is damaged or cut off: ${reason}`, 'send the file again, whole', thrown)
  }
}

/** The same image in another size. */
export async function resizeImage({ width, height, data }: Pixels, size: { readonly width: number; readonly height: number }): Promise<Pixels> {
  if (size.width === width && size.height === height) return { width, height, data }
  const sharp = loadSharp()
  const resized = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize(size.width, size.height, { fit: 'fill', kernel: 'linear' })
    .raw()
    .toBuffer({ resolveWithObject: true })
  return { ...size, data: resized.data }
}

/** A greyscale image comes out of the decoder with fewer channels. */
function inThreeChannels(data: Uint8Array, channels: number): Uint8Array {
  const count = data.length / channels
  const out = new Uint8Array(count * 3)
  for (let i = 0; i < count; i++) out.fill(data[i * channels] as number, 3 * i, 3 * i + 3)
  return out
}

const unusable = (message: string, hint = `send one of ${SUPPORTED}, as a Uint8Array`, cause?: unknown): TroupeError =>
  new TroupeError('InvalidMessage', message, hint, { supported: SUPPORTED }, cause)

const tooLarge = (pixelsMax: number, size: string): TroupeError =>
  new TroupeError('InvalidMessage', `the image has more than ${pixelsMax} pixels (${size})`, 'send a smaller image, or raise pixelsMax', { pixelsMax })
