// What every store of blobs keeps, ours and strangers': run by each with a way to open an empty one of a given size.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BlobRef, Blobs } from 'troupe/actors'

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const nowhere: BlobRef = { blob: `sha256:${'0'.repeat(64)}`, bytes: 3 }

export function blobsContract(name: string, fresh: (bytesMax: number) => Promise<Blobs>): void {
  describe(`${name} keeps the promise of a store of blobs`, () => {
    test('what was put is got back under the hash of its bytes', async () => {
      const blobs = await fresh(1000)
      const ref = await blobs.put(bytes('abc'))
      expect(ref).toEqual({ blob: 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', bytes: 3 })
      expect(text(await blobs.get(ref))).toBe('abc')
      expect(await blobs.has(ref)).toBe(true)
      expect(blobs.size).toBe(3)
      expect(text(await blobs.get(await blobs.put(new Uint8Array())))).toBe('')
    })

    test('the same bytes are kept once, however often and however fast they are put', async () => {
      const blobs = await fresh(1000)
      const refs = await Promise.all(Array.from({ length: 20 }, () => blobs.put(bytes('again'))))
      expect(new Set(refs.map(({ blob }) => blob)).size).toBe(1)
      expect(blobs.size).toBe(5)
    })

    test('what is not there is Gone, and nothing but a hash is looked for', async () => {
      const blobs = await fresh(1000)
      const strangers: unknown[] = [nowhere, { blob: 'sha256:../../../../etc/passwd', bytes: 1 }, { blob: '../secret', bytes: 1 }, { blob: 7 }, {}, null]
      for (const ref of strangers) {
        await expect(blobs.get(ref as BlobRef)).rejects.toMatchObject({ code: 'Gone' })
        expect(await blobs.has(ref as BlobRef)).toBe(false)
      }
    })

    test('neither the putter nor a getter can change what is kept', async () => {
      const blobs = await fresh(1000)
      const mine = bytes('mine')
      const putting = blobs.put(mine)
      mine.fill(0)
      const ref = await putting
      mine.fill(1)
      expect(await blobs.has(ref)).toBe(true)
      ;(await blobs.get(ref)).fill(2)
      expect(text(await blobs.get(ref))).toBe('mine')
    })

    test('when it is full, the least recently used leave', async () => {
      const blobs = await fresh(30)
      const [a, b, c] = [await blobs.put(bytes('a'.repeat(10))), await blobs.put(bytes('b'.repeat(10))), await blobs.put(bytes('c'.repeat(10)))]
      await blobs.get(a)
      const d = await blobs.put(bytes('d'.repeat(10)))
      expect(await Promise.all([a, b, c, d].map((ref) => blobs.has(ref)))).toEqual([true, false, true, true])
      await expect(blobs.get(b)).rejects.toMatchObject({ code: 'Gone', hint: expect.stringContaining('bytesMax') as string })
      expect(blobs.size).toBe(30)
    })

    test('what could never fit is refused, and drives nobody out', async () => {
      const blobs = await fresh(30)
      const ref = await blobs.put(bytes('stays'))
      await expect(blobs.put(new Uint8Array(31))).rejects.toMatchObject({ code: 'InvalidMessage' })
      expect(await blobs.has(ref)).toBe(true)
    })

    test('it agrees with a list in the order of use, whatever happens', { timeout: 20_000 }, async () => {
      const action = fc.record({ kind: fc.constantFrom('put', 'get'), which: fc.nat(9) })
      const contentOf = (which: number): Uint8Array => bytes(String(which).repeat(which + 1))
      await fc.assert(
        fc.asyncProperty(fc.array(action, { maxLength: 30 }), async (actions) => {
          const blobs = await fresh(20)
          const refs: BlobRef[] = []
          for (let which = 0; which < 10; which++) refs.push(await (await fresh(20)).put(contentOf(which)))
          let kept: number[] = []
          for (const { kind, which } of actions) {
            const there = kept.includes(which)
            if (kind === 'get' && !there) await expect(blobs.get(refs[which] as BlobRef)).rejects.toMatchObject({ code: 'Gone' })
            else if (kind === 'get') expect(await blobs.get(refs[which] as BlobRef)).toEqual(contentOf(which))
            else await blobs.put(contentOf(which))
            if (kind === 'put' || there) kept = [...kept.filter((each) => each !== which), which]
            while (kept.reduce((sum, each) => sum + each + 1, 0) > 20) kept.shift()
            expect(blobs.size).toBe(kept.reduce((sum, each) => sum + each + 1, 0))
          }
        }),
        { numRuns: 12 },
      )
    })
  })
}
