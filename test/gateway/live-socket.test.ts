// A conversation's socket whose reader is behind, or gone.
import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { LiveSocket } from '../../src/actors/gateway/live-socket.js'

class Peer extends EventEmitter {
  readyState = 1
  bufferedAmount = 0
  readonly did: string[] = []
  readonly #unsent: (() => void)[] = []
  send(_text: string, sent?: () => void): void {
    if (sent !== undefined) this.#unsent.push(sent)
  }
  flush(): void {
    for (const sent of this.#unsent.splice(0)) sent()
  }
  pause = (): void => void this.did.push('pause')
  resume = (): void => void this.did.push('resume')
  ping = (): void => void this.did.push('ping')
  terminate = (): void => void this.did.push('terminate')
  close = (): void => void this.did.push('close')
}

test('nothing more is read from a peer that does not read its answers', async () => {
  const peer = new Peer()
  const socket = new LiveSocket(peer)
  expect(socket.send('a')).toBeUndefined()
  peer.bufferedAmount = 100_000
  const sent = Promise.all([socket.send('b'), socket.send('c')])
  expect(peer.did).toEqual(['pause'])
  peer.flush()
  await sent
  expect(peer.did).toEqual(['pause', 'resume'])
})

test('a peer that stays behind is given up in the end, one that catches up is not', () => {
  const peer = new Peer()
  const socket = new LiveSocket(peer)
  peer.bufferedAmount = 100_000
  const beats = (count: number): void => {
    for (let beat = 0; beat < count; beat++) socket.beat()
  }
  void socket.send('a')
  beats(8)
  peer.flush()
  void socket.send('b')
  beats(8)
  expect(peer.did).toEqual(['pause', 'resume', 'pause'])
  beats(1)
  expect(peer.did.at(-1)).toBe('terminate')
})

test('a peer that does not answer a heartbeat until the next one is given up', () => {
  const peer = new Peer()
  const socket = new LiveSocket(peer)
  socket.beat()
  peer.emit('pong')
  socket.beat()
  expect(peer.did).toEqual(['ping', 'ping'])
  socket.beat()
  expect(peer.did).toEqual(['ping', 'ping', 'terminate'])
})
