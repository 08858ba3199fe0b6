/**
 * One process at a time. The lock is a listening socket, which the kernel closes with its process: nothing stale is left
 * by `kill -9`, and no pid can be mistaken for another's.
 */
import { createHash } from 'node:crypto'
import { unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TroupeError } from '../../ground/errors.js'

export interface Lock {
  release(): Promise<void>
}

/** Holds the lock of a folder. Throws `Overloaded` while another holds it. */
export async function holdLock(folder: string): Promise<Lock> {
  const address = addressOf(folder)
  let server = await listen(address)
  if (server === undefined && isFile && !(await answers(address))) {
    // Where sockets are files, one outlives its process; nobody answers at it then.
    await unlink(address).catch(() => {})
    server = await listen(address)
  }
  if (server === undefined) {
    throw new TroupeError('Overloaded', `${folder} is open in another process`, 'stop that process first, or give this one a folder of its own', { retryAfterMs: 1_000 })
  }
  const held = server.unref()
  return { release: () => new Promise((resolve) => held.close(() => resolve())) }
}

const isFile = process.platform !== 'linux' && process.platform !== 'win32'

/** Abstract sockets on Linux and pipes on Windows vanish with their process; elsewhere a file in the temporary folder. */
function addressOf(folder: string): string {
  const name = `troupe-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`
  if (process.platform === 'linux') return `\0${name}`
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`)
}

function listen(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)))
    server.listen(address, () => resolve(server))
  })
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address)
    const tell = (answer: boolean) => () => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', tell(true)).once('error', tell(false))
  })
}
