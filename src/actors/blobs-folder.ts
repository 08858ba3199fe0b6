import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { realClock } from '../ground/clock.js'
import { gone, isBlobRef, refOf, tooLarge, type BlobLimits, type BlobRef, type Blobs } from './blobs.js'

const BYTES_MAX = 4_000_000_000
const NAME = /^[0-9a-f]{64}$/
/** `<hash>.<process>.<count>.part` while it is written. */
const PART = /^[0-9a-f]{64}\.(\d+)\.\d+\.part$/

/**
 * Blobs as files of a folder, each named by its hash, so that they outlive the process and several may share them.
 * Default bound: 4 GB. What a ref promises is checked when it is read: a file that was changed is not what was put.
 */
export async function folderBlobs(folder: string, { bytesMax = BYTES_MAX }: BlobLimits = {}): Promise<Blobs> {
  await mkdir(folder, { recursive: true })
  const blobs = new FolderBlobs(folder, bytesMax)
  await blobs.open()
  return blobs
}

const nameOf = ({ blob }: BlobRef): string => blob.slice('sha256:'.length)

/**
 * F1. A file of a hash's name is whole: it is written beside and renamed.
 * F2. Changes happen one after another, so that the size is right and nothing is removed while it is put.
 */
class FolderBlobs implements Blobs {
  readonly #folder: string
  readonly #bytesMax: number
  /** Bytes by name, the least recently used first. */
  readonly #held = new Map<string, number>()
  #size = 0
  #parts = 0
  #last: Promise<unknown> = Promise.resolve()

  constructor(folder: string, bytesMax: number) {
    this.#folder = folder
    this.#bytesMax = bytesMax
  }

  get size(): number {
    return this.#size
  }

  /** Takes stock of what earlier processes left; what they did not finish is removed. */
  async open(): Promise<void> {
    const found: { name: string; bytes: number; used: number }[] = []
    for (const name of await readdir(this.#folder)) {
      const writer = PART.exec(name)?.[1]
      if (writer !== undefined && !isAlive(Number(writer))) await rm(join(this.#folder, name), { force: true })
      if (!NAME.test(name)) continue
      const file = await stat(join(this.#folder, name)).catch(() => undefined)
      if (file !== undefined) found.push({ name, bytes: file.size, used: file.mtimeMs })
    }
    for (const { name, bytes } of found.sort((a, b) => a.used - b.used)) this.#note(name, bytes)
    await this.#makeRoom()
  }

  async put(bytes: Uint8Array): Promise<BlobRef> {
    if (bytes.byteLength > this.#bytesMax) throw tooLarge(bytes.byteLength, this.#bytesMax)
    // A copy, since the sender may go on writing into its own while this waits its turn.
    const own = Uint8Array.from(bytes)
    const ref = refOf(own)
    await this.#inTurn(async () => {
      if (!(await this.#touch(nameOf(ref)))) await this.#write(nameOf(ref), own)
      this.#note(nameOf(ref), own.byteLength)
      await this.#makeRoom()
    })
    return ref
  }

  async get(ref: BlobRef): Promise<Uint8Array> {
    if (!isBlobRef(ref)) throw gone(ref)
    const name = nameOf(ref)
    const bytes = await readFile(join(this.#folder, name)).catch((thrown: unknown) => {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw thrown
    })
    if (bytes === undefined || refOf(bytes).blob !== ref.blob) {
      await this.#inTurn(() => this.#remove(name))
      throw gone(ref)
    }
    await this.#inTurn(async () => {
      if (await this.#touch(name)) this.#note(name, bytes.byteLength)
    })
    return new Uint8Array(bytes)
  }

  async has(ref: BlobRef): Promise<boolean> {
    return isBlobRef(ref) && (await stat(join(this.#folder, nameOf(ref))).then((file) => file.isFile(), () => false))
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(change)
    this.#last = turn.catch(() => undefined)
    return turn
  }

  #note(name: string, bytes: number): void {
    this.#size += bytes - (this.#held.get(name) ?? 0)
    this.#held.delete(name)
    this.#held.set(name, bytes)
  }

  /** Marks a file as used just now, for the order after a restart; false when it is not there. */
  async #touch(name: string): Promise<boolean> {
    const now = realClock.now() / 1000
    return await utimes(join(this.#folder, name), now, now).then(() => true, () => false)
  }

  async #write(name: string, bytes: Uint8Array): Promise<void> {
    const part = join(this.#folder, `${name}.${process.pid}.${this.#parts++}.part`)
    try {
      const file = await open(part, 'wx')
      try {
        await file.writeFile(bytes)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(part, join(this.#folder, name))
    } catch (thrown) {
      await rm(part, { force: true })
      throw thrown
    }
  }

  async #makeRoom(): Promise<void> {
    for (const name of this.#held.keys()) {
      if (this.#size <= this.#bytesMax) return
      await this.#remove(name)
    }
  }

  async #remove(name: string): Promise<void> {
    await rm(join(this.#folder, name), { force: true })
    this.#size -= this.#held.get(name) ?? 0
    this.#held.delete(name)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM'
  }
}
