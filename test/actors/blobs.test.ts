import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { folderBlobs, memoryBlobs, type BlobRef } from 'troupe/actors'
import { blobsContract } from '../contract/blobs.js'

const folders: string[] = []
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-blobs-'))
  folders.push(folder)
  return folder
}
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

blobsContract('memory', (bytesMax) => Promise.resolve(memoryBlobs({ bytesMax })))
blobsContract('a folder', (bytesMax) => folderBlobs(newFolder(), { bytesMax }))

describe('a folder of blobs', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
  const fileOf = (folder: string, { blob }: BlobRef): string => join(folder, blob.slice('sha256:'.length))

  test('is there when it is opened again, with its order of use', async () => {
    const folder = newFolder()
    const first = await folderBlobs(folder, { bytesMax: 30 })
    const [a, b, c] = [await first.put(bytes('a'.repeat(10))), await first.put(bytes('b'.repeat(10))), await first.put(bytes('c'.repeat(10)))]
    for (const [i, ref] of [b, c, a].entries()) utimesSync(fileOf(folder, ref), 1000 + i, 1000 + i)
    const second = await folderBlobs(folder, { bytesMax: 30 })
    expect(second.size).toBe(30)
    await second.put(bytes('d'.repeat(10)))
    expect(await Promise.all([a, b, c].map((ref) => second.has(ref)))).toEqual([true, false, true])
  })

  test('opened with less room gives up the oldest', async () => {
    const folder = newFolder()
    const first = await folderBlobs(folder)
    for (const letter of 'abc') await first.put(bytes(letter.repeat(10)))
    expect((await folderBlobs(folder, { bytesMax: 15 })).size).toBe(10)
    expect(readdirSync(folder)).toHaveLength(1)
  })

  test('a file that was changed is not what was put: it is Gone, and put again it is whole', async () => {
    const folder = newFolder()
    const blobs = await folderBlobs(folder)
    const ref = await blobs.put(bytes('whole'))
    writeFileSync(fileOf(folder, ref), 'whol')
    await expect(blobs.get(ref)).rejects.toMatchObject({ code: 'Gone' })
    await blobs.put(bytes('whole'))
    expect(await blobs.get(ref)).toEqual(bytes('whole'))
  })

  test('what a killed process left half written is removed; strangers stay', async () => {
    const folder = newFolder()
    const hash = 'a'.repeat(64)
    for (const name of [`${hash}.999999999.0.part`, `${hash}.${process.pid}.0.part`, 'notes.txt']) writeFileSync(join(folder, name), 'x')
    expect((await folderBlobs(folder)).size).toBe(0)
    expect(readdirSync(folder).toSorted()).toEqual([`${hash}.${process.pid}.0.part`, 'notes.txt'])
  })

  test('is shared by two stores, as by two processes', async () => {
    const folder = newFolder()
    const [one, other] = [await folderBlobs(folder), await folderBlobs(folder)]
    const ref = await one.put(bytes('shared'))
    expect(await other.get(ref)).toEqual(bytes('shared'))
    expect(other.size).toBe(6)
  })
})
