// A connection that breaks.
import { connect, createServer, type Socket } from 'node:net'

export interface BreakingProxy {
  readonly url: string
  /** How many connections there have been. */
  connections: number
  cut(): void
  close(): void
}

/** Lets so many bytes come back through each connection, then breaks it, or `silently` lets it stand; the last number holds for all further ones. */
export async function breakingProxy(port: number, bytes: readonly number[] = [], { silently = false } = {}): Promise<BreakingProxy> {
  const sockets = new Set<Socket>()
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  }
  const server = createServer((near) => {
    let left = bytes[Math.min(state.connections++, bytes.length - 1)] ?? Infinity
    const far = connect(port, '127.0.0.1')
    near.pipe(far)
    far.on('data', (data: Buffer) => {
      near.write(data.subarray(0, left))
      left -= data.length
      if (left > 0) return
      if (silently) return void far.pause()
      near.end()
      far.destroy()
    })
    far.on('end', () => near.end())
    for (const socket of [near, far]) socket.on('error', () => {})
    sockets.add(near).add(far)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port: own } = server.address() as { port: number }
  const state = { url: `http://127.0.0.1:${own}`, cut, connections: 0, close: () => void (cut(), server.close()) }
  return state
}
