/** One thread of a placed model, as the host sees it: what it holds, whether it has room, and its shared strip. */
import type { Clock, Timer } from '../ground/clock.js'
import { TroupeError, describe } from '../ground/errors.js'
import { invariant } from '../ground/invariant.js'
import type { GenerateRequest, GenerateResult } from './kernels/generate.js'
import { AHEAD_MAX, BATCH_MAX, PASSES_AHEAD, SLOTS } from './limits.js'
import { Strip, type Loaded, type ModelSpec, type Parts, type Passed, type Reply, type StripWrite, type Task, type WorkerData } from './wire.js'

/** One thread that serves tasks. `run` rejects only when the thread died. */
export interface Thread {
  run(task: Task): Promise<Reply>
  /** Ends an idle thread. */
  close(): Promise<void>
  /** Only for a process in place of a thread: what else the strip would tell, and carry there. */
  readonly progress?: { readonly inside: boolean; readonly steps: number }
  write?(write: StripWrite): void
  /** … and the memory that it was last seen to hold. */
  readonly rssBytes?: number | undefined
}
export type OpenThread = (data: WorkerData, onParts: (message: Parts) => void) => Thread

export interface ReplicaOptions {
  readonly open: OpenThread
  readonly spec: ModelSpec
  readonly clock: Clock
  /** A thread that does not come out of one native call for so long is given up. */
  readonly watchdogMs: number
  readonly onIdle: () => void
}


export interface PassTask {
  readonly task: string
  readonly options: unknown
  readonly inputs: readonly unknown[]
  readonly tokensMax: number
}

export interface SequenceTask {
  readonly request: GenerateRequest
  readonly rank: number
  readonly onPart: (text: string) => void
}

/** A pass in this thread's hands. */
export interface RunningPass {
  readonly result: Promise<Passed>
  /** Nobody wants it any more: it ends before its next native call, or its next token. */
  cancel(): void
}

/** A sequence in this thread's hands. */
export interface RunningSequence {
  readonly result: Promise<GenerateResult>
  taken(parts: number): void
  cancel(): void
}

interface Held {
  readonly slot: number
  readonly rank: number
  readonly onPart: (text: string) => void
  parts: number
  chars: number
  taken: number
}

/** Its reader is so far behind that it waits. */
const stalled = (held: Held): boolean => held.parts - held.taken >= AHEAD_MAX

/** Rejections of a thread's work: it died, which is nobody's input's fault, or it said what was wrong. */
export class ThreadDied extends Error {}

/**
 * R1. A slot of the strip belongs to one sequence until its reply has come.
 * R2. `close` is called only when `idle`; a thread is never ended while it may be in native code.
 */
export class Replica {
  readonly #thread: Thread
  readonly #strip = new Strip()
  readonly #sequences = new Map<number, Held>()
  readonly #freeSlots = Array.from({ length: SLOTS }, (_, slot) => slot)
  readonly #passSlots = Array.from({ length: PASSES_AHEAD }, (_, ahead) => SLOTS + ahead)
  readonly #onIdle: () => void
  #state: 'loading' | 'ready' | 'dead' = 'loading'
  #tasks = 0
  /** Ranks of the passes that were sent and not answered. */
  readonly #passRanks: number[] = []
  #nextId = 1
  readonly #clock: Clock
  readonly #watchdogMs: number
  #watch: Timer | undefined
  /** What waits for an answer, to be told when the thread is given up. Not a race with one long-lived promise: that would keep every answer. */
  readonly #waiting = new Set<(cause: Error) => void>()
  #abandoned = false
  /** Tasks that the thread itself has not answered, given up or not. */
  #owed = 0

  constructor({ open, spec, clock, watchdogMs, onIdle }: ReplicaOptions) {
    this.#onIdle = onIdle
    this.#clock = clock
    this.#watchdogMs = watchdogMs
    this.#thread = open({ spec, shared: this.#strip.buffer }, (message) => this.#hear(message))
    this.#strip.mirror = this.#thread.write?.bind(this.#thread)
  }

  get state(): 'loading' | 'ready' | 'dead' {
    return this.#state
  }
  /** True when the thread was given up while it hung in native code. */
  get abandoned(): boolean {
    return this.#abandoned
  }
  /** True when it could not be ended even so, and keeps its memory. */
  get lingers(): boolean {
    return this.#abandoned && this.#thread.write === undefined
  }
  /** Only of a process: memory that it was last seen to hold. */
  get rssBytes(): number | undefined {
    return this.#thread.rssBytes
  }
  get strip(): Strip {
    return this.#strip
  }
  get idle(): boolean {
    return this.#tasks === 0
  }
  get passes(): number {
    return this.#passRanks.length
  }
  get sequences(): number {
    return this.#sequences.size
  }
  get takesPass(): boolean {
    return this.#state === 'ready' && this.passes < PASSES_AHEAD
  }

  /** True while it uses its cores: a pass is under way, or a sequence whose reader keeps up. */
  get computing(): boolean {
    return this.passes > 0 || [...this.#sequences.values()].some((held) => !stalled(held))
  }
  /** The most urgent rank of what it computes. */
  get rank(): number {
    const running = [...this.#sequences.values()].filter((held) => !stalled(held))
    return Math.min(...this.#passRanks, ...running.map(({ rank }) => rank))
  }

  /** Room for a sequence of this rank: less urgent ones can be set aside, and those whose reader is slow take no part. */
  takesSequence(rank: number): boolean {
    if (this.#state !== 'ready' || this.#freeSlots.length === 0) return false
    let competing = 0
    for (const held of this.#sequences.values()) if (held.rank <= rank && !stalled(held)) competing++
    return competing < BATCH_MAX
  }

  /** Loads the model; milliseconds it took. */
  async load(): Promise<number> {
    const { ms } = await this.#ask<Loaded>({ kind: 'load' }, 'loaded')
    if (this.#state === 'loading') this.#state = 'ready'
    return ms
  }

  pass(task: PassTask, rank: number): RunningPass {
    const slot = this.#passSlots.pop()
    invariant(slot !== undefined, 'a pass starts only where there is a slot')
    this.#strip.claim(slot)
    this.#passRanks.push(rank)
    const run = async (): Promise<Passed> => {
      try {
        return await this.#ask<Passed>({ kind: 'pass', slot, ...task }, 'passed')
      } finally {
        this.#passRanks.splice(this.#passRanks.indexOf(rank), 1)
        this.#passSlots.push(slot)
      }
    }
    return { result: run(), cancel: () => this.#strip.cancel(slot) }
  }

  sequence({ request, rank, onPart }: SequenceTask): RunningSequence {
    const slot = this.#freeSlots.pop()
    invariant(slot !== undefined, 'a sequence starts only where there is a slot')
    const id = this.#nextId++
    this.#strip.claim(slot)
    const held: Held = { slot, rank, onPart, parts: 0, chars: 0, taken: 0 }
    this.#sequences.set(id, held)
    const run = async (): Promise<GenerateResult> => {
      try {
        const { result } = await this.#ask<Extract<Reply, { kind: 'generated' }>>({ kind: 'generate', id, slot, rank, request }, 'generated')
        // The reply may overtake the last parts, which come by another port.
        if (held.chars < result.text.length) held.onPart(result.text.slice(held.chars))
        return result
      } finally {
        this.#sequences.delete(id)
        this.#freeSlots.push(slot)
      }
    }
    return { result: run(), taken: (parts) => this.#credit(id, parts), cancel: () => this.#cancel(id) }
  }

  /** No further native call starts; what runs ends at its next step. */
  halt(): void {
    this.#strip.stop()
    if (this.#sequences.size > 0) this.#wake()
  }

  /** For a thread that died or could not load: nothing runs in it, whatever it still owes. */
  discard(): void {
    this.#state = 'dead'
    this.#watch?.cancel()
    // Ending a thread in native code would abort the process, so one that hangs is ended only if it ever comes back.
    if (!this.#abandoned || this.#owed === 0 || this.#thread.write !== undefined) void this.#thread.close().catch(() => undefined)
  }

  async close(): Promise<void> {
    invariant(this.idle, 'a thread ends only when nothing runs in it')
    this.#state = 'dead'
    await this.#thread.close()
  }

  #hear({ parts }: Parts): void {
    for (const [id, text] of parts) {
      const held = this.#sequences.get(id)
      if (held === undefined) continue
      held.parts++
      held.chars += text.length
      held.onPart(text)
    }
  }

  #credit(id: number, parts: number): void {
    const held = this.#sequences.get(id)
    if (held === undefined || parts <= held.taken) return
    held.taken = parts
    this.#strip.credit(held.slot, parts)
    this.#wake()
  }

  #cancel(id: number): void {
    const held = this.#sequences.get(id)
    if (held === undefined) return
    this.#strip.cancel(held.slot)
    this.#wake()
  }

  /** A thread whose sequences all wait for their readers sleeps; a message wakes it to look at the strip. */
  #wake(): void {
    if (!this.#strip.asleep) return
    void this.#ask({ kind: 'wake' }, 'woken').catch(() => undefined)
  }

  async #ask<R extends Reply>(task: Task, expected: R['kind']): Promise<R> {
    this.#tasks++
    this.#owed++
    this.#keepWatch()
    const running = this.#thread.run(task).finally(() => this.#noteAnswer())
    try {
      const reply = await this.#unlessHung(running).catch((cause: unknown) => {
        this.#state = 'dead'
        throw new ThreadDied(describe(cause))
      })
      if (reply.kind === 'failed') throw TroupeError.fromData(reply.error)
      invariant(reply.kind === expected, `a thread answers ${task.kind} with ${expected}, not ${reply.kind}`)
      return reply as R
    } finally {
      this.#tasks--
      if (this.#tasks === 0) {
        this.#watch?.cancel()
        this.#watch = undefined
        this.#onIdle()
      }
    }
  }

  #unlessHung(running: Promise<Reply>): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject)
      running.then(resolve, reject).finally(() => this.#waiting.delete(reject))
    })
  }

  get #progress(): { readonly inside: boolean; readonly steps: number } {
    return this.#thread.progress ?? this.#strip.progress
  }

  #noteAnswer(): void {
    this.#owed--
    if (this.#abandoned && this.#owed === 0) void this.#thread.close().catch(() => undefined)
  }

  /** Looks, while there are tasks, whether the thread still comes out of native code now and then. */
  #keepWatch(): void {
    if (this.#watch !== undefined || this.#watchdogMs === Infinity) return
    const { steps } = this.#progress
    this.#watch = this.#clock.timer(this.#watchdogMs, () => {
      this.#watch = undefined
      const now = this.#progress
      if (!now.inside || now.steps !== steps) return this.#keepWatch()
      this.#abandoned = true
      for (const giveUp of this.#waiting) giveUp(new Error(`it has been in one native call for more than ${this.#watchdogMs} ms`))
    })
  }
}
