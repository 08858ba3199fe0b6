/**
 * What a store's folder says of itself, in a file beside the data: its version, and a proof of its key. LMDB ends the
 * whole process when it opens a file under another key, so the key is checked before LMDB sees it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { TroupeError } from '../../ground/errors.js'

const VERSION = 1
const FILE = 'troupe-store.json'

interface Mark {
  readonly version: number
  /** Hex; absent for a store that is not encrypted. */
  readonly proof?: string
}

/** Checks the folder's mark; one without is marked, or holds no store. Throws `Unauthorized`, `Incompatible` or `StoreCorrupt`. */
export async function checkMark(folder: string, key: string | undefined, unmarked: 'mark' | 'refuse' = 'mark'): Promise<void> {
  const file = join(folder, FILE)
  const proof = key === undefined ? undefined : createHmac('sha256', key).update(FILE).digest()
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined && unmarked === 'refuse') throw new TroupeError('InvalidDefinition', `${folder} holds no store`, 'give the folder that lmdb(…) was given')
  if (text === undefined) return write(file, { version: VERSION, ...(proof && { proof: proof.toString('hex') }) })
  const mark = parse(text, file)
  if (mark.version > VERSION) throw new TroupeError('Incompatible', `${folder} was written by store version ${mark.version}, this is ${VERSION}`, 'open it with the version of Troupe that wrote it, or a later one')
  if (!proves(mark.proof, proof)) throw new TroupeError('Unauthorized', `${folder} does not open with this key`, 'give the key that the store was made with, or none if it was made without')
}

function parse(text: string, file: string): Mark {
  try {
    const mark = JSON.parse(text) as Mark
    if (Number.isInteger(mark.version)) return mark
  } catch {
    // told below
  }
  throw new TroupeError('StoreCorrupt', `${file} is damaged`, 'restore the folder from a copy')
}

function proves(kept: string | undefined, given: Buffer | undefined): boolean {
  if (kept === undefined || given === undefined) return kept === given
  const known = Buffer.from(kept, 'hex')
  return known.length === given.length && timingSafeEqual(known, given)
}

/** In full or not at all, also when the process or the power ends in between. */
async function write(file: string, mark: Mark): Promise<void> {
  const half = `${file}.new`
  const handle = await open(half, 'w')
  await handle.writeFile(JSON.stringify(mark))
  await handle.sync()
  await handle.close()
  await rename(half, file)
}
