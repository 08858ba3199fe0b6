import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTroupe, TroupeError, type Ref, type Troupe } from 'troupe'
import { createHost, type Host } from 'troupe/models'
import { image, memoryBlobs, type Image, type VideoFrame } from 'troupe/actors'
import { FakeHost } from './ear-and-eye.js'

const receipt = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../fixtures/receipts/${name}.png`, import.meta.url)))
const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0

describe('image', () => {
  const blobs = memoryBlobs()
  let host: Host
  let troupe: Troupe
  let ref: Ref<(typeof Image)['specs']>
  beforeAll(async () => {
    host = await createHost()
    troupe = await createTroupe({ host })
    ref = troupe.spawn('image', image({ blobs }))
  })
  afterAll(async () => {
    await troupe.stop()
    await host.stop()
  })

  test('reads a receipt that comes in the message', async () => {
    const { text, lines } = await ref.ask({ type: 'read', image: receipt('english') })
    expect(text).toContain('TOTAL GBP 14.69')
    expect(lines.find((line) => line.text === '14.69')?.box).toHaveLength(4)
  })

  test('reads one that waits under a claim check, and many at once', async () => {
    const claim = await blobs.put(receipt('chinese'))
    const all = await Promise.all([ref.ask({ type: 'read', image: claim }), ref.ask({ type: 'read', image: claim }), ref.ask({ type: 'read', image: receipt('english') })])
    expect(all.map(({ text }) => text.split('\n')[0])).toEqual(['阳光便利店', '阳光便利店', 'CORNER BAKERY'])
  })

  test('tells who asked when the blob is gone, the file is broken, or the message is none of its own', async () => {
    const lost = { blob: `sha256:${'0'.repeat(64)}`, bytes: 9 }
    await expect(ref.ask({ type: 'read', image: lost })).rejects.toMatchObject({ code: 'Gone' })
    await expect(ref.ask({ type: 'read', image: receipt('english').subarray(0, 2000) })).rejects.toMatchObject({ code: 'InvalidMessage', hint: expect.stringContaining('again') as string })
    await expect(ref.ask({ type: 'read', image: 'receipt.png' as unknown as Uint8Array })).rejects.toMatchObject({ code: 'InvalidMessage' })
    await expect(ref.ask({ type: 'read', image: { blob: '../../etc/passwd', bytes: 9 } })).rejects.toMatchObject({ code: 'InvalidMessage' })
    expect((await ref.ask({ type: 'read', image: receipt('english') })).text).toContain('BAKERY')
  })

  test('without a model for a request says how to name one', async () => {
    await expect(ref.ask({ type: 'caption', image: receipt('english') })).rejects.toMatchObject({ code: 'ModelNotFound', hint: "name one: image({ caption: 'owner/name' })" })
  })

  test('holds to the limits it was given', async () => {
    const small = troupe.spawn('small-image', image({ pixelsMax: 1000 }))
    await expect(small.ask({ type: 'read', image: receipt('english') })).rejects.toMatchObject({ code: 'InvalidMessage', message: expect.stringContaining('more than 1000 pixels') as string })
    const claim = await blobs.put(receipt('english'))
    await expect(small.ask({ type: 'read', image: claim })).rejects.toMatchObject({ code: 'InvalidMessage', hint: expect.stringContaining('blobs') as string })
  })
})

describe('with models of the user', () => {
  const labels = [{ label: 'cat', score: 0.2 }, { label: 'dog', score: 0.7 }, { label: 'newt', score: 0.1 }]
  const host = new FakeHost({
    classifyImage: () => [labels],
    caption: () => ['a dog on a newt'],
    embedImage: () => [Float32Array.of(0.6, 0.8)],
    read: () => Promise.reject(new TroupeError('ModelFailed', 'broken', 'mend it')),
  })
  let troupe: Troupe
  let ref: Ref<(typeof Image)['specs']>
  beforeAll(async () => {
    troupe = await createTroupe({ host })
    ref = troupe.spawn('image', image({ classify: 'vit', caption: 'blip', embed: 'clip', pixelsMax: 1000, bytesMax: 100 }))
  })
  afterAll(() => troupe.stop())

  test('an image is labelled, described and embedded', async () => {
    const picture = Uint8Array.of(1, 2, 3)
    expect(await ref.ask({ type: 'classify', image: picture, top: 2 })).toEqual({ labels: [labels[1], labels[0]] })
    expect(await ref.ask({ type: 'caption', image: picture, maxTokens: 9 })).toEqual({ text: 'a dog on a newt' })
    expect(await ref.ask({ type: 'embed', image: picture })).toEqual({ vector: Float32Array.of(0.6, 0.8) })
    expect(host.asked.map(({ task, model, input }) => [task, model, input['maxTokens']])).toEqual([['classifyImage', 'vit', undefined], ['caption', 'blip', 9], ['embedImage', 'clip', undefined]])
    expect(host.asked.map(({ input }) => Array.from(input.inputs[0] as Uint8Array))).toEqual([[1, 2, 3], [1, 2, 3], [1, 2, 3]])
    expect(host.asked.map(({ input }) => [input['pixelsMax'], input['bytesMax']])).toEqual([[1000, 100], [1000, 100], [1000, 100]])
  })

  test('what a model refuses reaches who asked, and the next is served', async () => {
    await expect(ref.ask({ type: 'read', image: Uint8Array.of(1) })).rejects.toMatchObject({ code: 'ModelFailed', message: 'broken' })
    expect(await ref.ask({ type: 'caption', image: Uint8Array.of(1) })).toEqual({ text: 'a dog on a newt' })
  })

  test('more than it can look at wait, and all are answered', async () => {
    expect(await Promise.all(Array.from({ length: 40 }, () => ref.ask({ type: 'caption', image: Uint8Array.of(1) })))).toHaveLength(40)
  })
})

describe('a video', () => {
  let troupe: Troupe
  beforeAll(async () => {
    troupe = await createTroupe()
  })
  afterAll(() => troupe.stop())

  const framesOf = async (ref: Ref<(typeof Image)['specs']>, video: Uint8Array, how: { everyMs?: number; framesMax?: number } = {}): Promise<VideoFrame[]> => {
    const frames: VideoFrame[] = []
    for await (const frame of ref.stream({ type: 'frames', video, ...how })) frames.push(frame)
    return frames
  }

  test('where ffmpeg is not installed says how to install it', async () => {
    const ref = troupe.spawn('no-ffmpeg', image({ ffmpeg: '/nowhere/ffmpeg' }))
    await expect(framesOf(ref, Uint8Array.of(1))).rejects.toMatchObject({ code: 'MissingDependency', hint: expect.stringContaining('apt-get install ffmpeg') as string, details: { dependency: 'ffmpeg' } })
  })

  describe.skipIf(!hasFfmpeg)('where it is', () => {
    let folder: string
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'troupe-frames-'))
    })
    afterAll(() => rmSync(folder, { recursive: true }))

    /** Three seconds of test pattern. */
    function video(file: string): Uint8Array {
      const path = join(folder, file)
      spawnSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc=duration=3:size=320x240:rate=10', '-pix_fmt', 'yuv420p', path])
      return new Uint8Array(readFileSync(path))
    }

    test('gives a picture each so often, then the end', async () => {
      const ref = troupe.spawn('frames', image())
      const frames = await framesOf(ref, video('pattern.mp4'), { everyMs: 500 })
      expect(frames.at(-1)).toEqual({ kind: 'done', frames: 6 })
      expect(frames.slice(0, -1).map((frame) => (frame.kind === 'frame' ? frame.atMs : NaN))).toEqual([0, 500, 1000, 1500, 2000, 2500])
      for (const frame of frames) if (frame.kind === 'frame') expect(Array.from(frame.image.subarray(0, 3))).toEqual([0xff, 0xd8, 0xff])
      expect(await framesOf(ref, video('pattern.mkv'), { everyMs: 100, framesMax: 4 })).toHaveLength(5)
    })

    test('a reader who leaves ends it', async () => {
      const ref = troupe.spawn('left', image())
      for await (const frame of ref.stream({ type: 'frames', video: video('left.mp4'), everyMs: 100 })) {
        expect(frame.kind).toBe('frame')
        break
      }
      expect((await framesOf(ref, video('left2.mp4'), { framesMax: 1 })).at(-1)).toEqual({ kind: 'done', frames: 1 })
    })

    test('that is none, or a list of other files, is refused', async () => {
      const ref = troupe.spawn('hostile', image())
      const list = new TextEncoder().encode(`#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://${join(folder, 'pattern.mp4')}\n#EXT-X-ENDLIST\n`)
      for (const bytes of [Uint8Array.of(1, 2, 3), list]) await expect(framesOf(ref, bytes)).rejects.toMatchObject({ code: 'InvalidMessage', message: expect.stringContaining('ffmpeg could not read the file') as string })
    })
  })
})
