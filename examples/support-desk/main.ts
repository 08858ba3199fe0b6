/**
 * The support desk: a line of text in, a streamed and cited answer out.
 *
 *   npm start                                                        asks at a prompt
 *   printf 'How long do I have to return a parcel?\n' | npm start --silent    answers each line
 *   printf 'What did I pay? @receipt.png\n' | npm start --silent          reads the image of a receipt first
 *   npm start --silent -- --trace                                    shows on stderr what each actor does
 */
import { createInterface } from 'node:readline'
import { createTroupe, TroupeError, type Ref } from 'troupe'
import { readFile } from 'node:fs/promises'
import { createHost } from 'troupe/models'
import { memoryBlobs, type Dialogue } from 'troupe/actors'
import { openDesk, openReceipts } from './desk.js'
import { showProgress } from './progress.js'
import { spoken } from './receipt.js'
import { showTrace } from './trace.js'

/** A picture that a line brings along. */
const ATTACHED = /(?:^|\s)@(\S+)/
const isTerminal = process.stdin.isTTY && process.stdout.isTTY
const leaving = new AbortController()
const leave = (): void => leaving.abort()

// The reader of our output may go before we do, as `head -1` does: then there is nobody left to answer.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  leave()
})
process.once('SIGINT', leave)
process.once('SIGTERM', leave)

const progress = showProgress()
const host = await createHost({ onProgress: (each) => progress.note(each) })
const troupe = await createTroupe({ host, signals: true })
const blobs = memoryBlobs()
const receipts = openReceipts(troupe, blobs)
if (process.argv.includes('--trace')) showTrace(troupe)

try {
  const conversation = await openDesk(troupe, { signal: leaving.signal })
  progress.ready()
  await converse(conversation('terminal'))
} catch (error) {
  if (!leaving.signal.aborted) throw error
} finally {
  process.stdin.destroy()
  await troupe.stop()
  await host.stop()
}

/** Answers line after line, in order, until there are no more or the user leaves. */
async function converse(dialogue: Ref<(typeof Dialogue)['specs']>): Promise<void> {
  if (leaving.signal.aborted) return
  const lines = createInterface({ input: process.stdin, ...(isTerminal && { output: process.stdout, prompt: '> ' }) })
  // At a terminal readline takes Ctrl-C for itself.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  leaving.signal.addEventListener('abort', () => lines.close(), { once: true })
  if (isTerminal) lines.prompt()
  for await (const line of lines) {
    if (leaving.signal.aborted) return
    if (line.trim() !== '') await answer(dialogue, line.trim())
    if (isTerminal) lines.prompt()
  }
}

/** Says what stands on an attached receipt, then answers the rest of the line. */
async function answer(dialogue: Ref<(typeof Dialogue)['specs']>, line: string): Promise<void> {
  const path = ATTACHED.exec(line)?.[1]
  const text = line.replace(ATTACHED, '').trim()
  try {
    if (path !== undefined) await showReceipt(path)
    // What a receipt alone can tell is said already.
    if (text === '' || (path !== undefined && /\b(?:pay|paid|total|receipt|number|how much)\b/i.test(text))) return
    for await (const chunk of dialogue.stream({ type: 'say', text }, { signal: leaving.signal })) {
      if (chunk.kind === 'text') process.stdout.write(chunk.text)
      else process.stdout.write(`\n${chunk.sources.map(({ number, title, source }) => `[${number}] ${title} — ${source}\n`).join('')}`)
    }
  } catch (error) {
    if (leaving.signal.aborted) return
    const isWrongPath = (error as NodeJS.ErrnoException).code === 'ENOENT'
    if (!isWrongPath && !(error instanceof TroupeError)) throw error
    process.stderr.write(`\n${(error as Error).message}${error instanceof TroupeError ? `; ${error.hint}` : ''}\n`)
    process.exitCode = 1
  }
}

/** The image itself stays with us: the message carries a ref to it. */
async function showReceipt(path: string): Promise<void> {
  const blob = await blobs.put(await readFile(path))
  const facts = await receipts.ask({ type: 'read', parts: [{ type: 'image', blob }] }, { timeout: '2m', signal: leaving.signal })
  process.stdout.write(`${spoken(facts)}\n`)
}
