/** One person at a terminal: lines are tasks, and, while a question is open, the word on it. */
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Assistant, News } from './assistant.js'

type Say = (words: string) => void

export class Terminal {
  readonly #lines: AsyncIterator<string>
  readonly #say: Say
  /** Somebody else may decide, so that a question outlives the input. */
  readonly #others: boolean
  readonly #closed = new Map<string, () => void>()
  #ahead: Promise<IteratorResult<string, undefined>> | undefined

  constructor(input: Readable, say: Say, { others, signal }: { readonly others: boolean; readonly signal: AbortSignal }) {
    this.#lines = createInterface({ input, signal })[Symbol.asyncIterator]()
    this.#say = say
    this.#others = others
  }

  /** Reads tasks until there are no more. */
  async serve({ ref }: Assistant): Promise<void> {
    for (let line = await this.#look(); line.done !== true; line = await this.#look()) {
      this.#ahead = undefined
      if (line.value.trim() === '') continue
      for await (const chunk of ref.stream({ type: 'run', input: line.value }, { timeout: 'none' })) {
        if (chunk.kind === 'text') this.#say(chunk.text)
        if (chunk.kind === 'tool-call') this.#say(`[${chunk.tool} ${JSON.stringify(chunk.input)}]\n`)
        if (chunk.kind === 'approval' && chunk.state !== 'asked') this.#say(`[${chunk.state}${chunk.by === undefined ? '' : ` by ${chunk.by}`}]\n`)
        if (chunk.kind === 'done') this.#say('\n')
      }
    }
  }

  /** Shows what happens to a question, and asks for the person's word on a new one. */
  tell({ what, person, question: { id, question, details, passedTo } }: News, assistant: Assistant): void {
    const asked = `${question} ${details}`
    if (what === 'reminded') return this.#say(`\n[still waiting for ${person}: ${asked}] y, n or why not? `)
    if (what === 'delegated') return this.#say(`\n[${passedTo} is asked too] y, n or why not? `)
    // The deputy's questions are the owner's too: one terminal shows them once.
    if (person !== 'owner' || what === 'returned') return
    if (what !== 'asked') return this.#closed.get(id)?.()
    this.#say(`[${asked}] y, n or why not? `)
    void this.#decide(id, assistant)
  }

  async #decide(id: string, assistant: Assistant): Promise<void> {
    const closed = new Promise<undefined>((resolve) => this.#closed.set(id, () => resolve(undefined)))
    const line = await Promise.race([this.#look(), closed])
    this.#closed.delete(id)
    // Decided elsewhere: the line that comes next is a task.
    if (line === undefined || (line.done === true && this.#others)) return
    this.#ahead = line.done === true ? this.#ahead : undefined
    const word = line.value?.trim() ?? 'nobody is there'
    const yes = /^y(es)?$/i.test(word)
    const comment = yes || /^no?$/i.test(word) ? undefined : word
    // Somebody else may have been faster, and the stream tells.
    await assistant.decide(id, yes, comment).catch(() => {})
  }

  /** The next line, which stays the next until it is taken. */
  #look(): Promise<IteratorResult<string, undefined>> {
    this.#ahead ??= this.#lines.next() as Promise<IteratorResult<string, undefined>>
    return this.#ahead
  }
}
