// Loads both models on all their threads, lets one stream wait for its reader, and tells what this process computes
// while another one computes for a second, three times over: `{ idleMs: […], elsewhereMs, threads }`.
import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { createHost } from 'troupe/models'

const ELSEWHERE_MS = 1_000
const host = await createHost()
await Promise.all([host.warm('embedded:encoder'), host.warm('embedded:generator')])
await host.embed('embedded:encoder', ['one', 'two', 'three'])
const stream = host.generate('embedded:generator', { prompt: 'The parcel', maxTokens: 900, logitBias: { 9: -100 } })[Symbol.asyncIterator]()
await stream.next()

/** Milliseconds of processor that this process uses until another has used its own. */
async function meanwhile() {
  const other = spawn(process.execPath, ['-e', `while (process.cpuUsage().user < ${1e3 * ELSEWHERE_MS});`], { stdio: 'ignore' })
  const before = process.cpuUsage()
  await once(other, 'exit')
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e3
}

// The stream runs ahead of its reader until it may not; what is idle is idle after that.
await meanwhile()
const idleMs = [await meanwhile(), await meanwhile(), await meanwhile()]
const threads = Object.values(host.metrics()).reduce((sum, { threads }) => sum + threads, 0)
console.log(JSON.stringify({ idleMs, elsewhereMs: ELSEWHERE_MS, threads }))
await stream.return()
await host.stop()
