/** What crosses the boundary between the host and a model's thread: tasks, replies, and a strip of shared memory. */
import type { ErrorData } from '../ground/errors.js'
import { failureOf } from './failure.js'
import type { Device } from './devices.js'
import type { GenerateRequest, GenerateResult } from './kernels/generate.js'
import type { HubSettings } from './hub.js'
import type { ModelConfig, Refusal } from './kernel.js'
import { PASSES_AHEAD, SLOTS } from './limits.js'

/** All a thread must know to load its model; given once, when the thread starts. */
export interface ModelSpec {
  readonly name: string
  readonly folder: string
  /** Path of the ONNX graph. */
  readonly graph: string
  /** Paths of further graphs, by the names that kernels know. */
  readonly graphs: Readonly<Record<string, string>>
  /** It has no tokenizer. */
  readonly wordless: boolean
  readonly bytes: number
  readonly config: ModelConfig
  readonly threads: number
  /** What computes it, if not the processor. */
  readonly device?: Device
  /** For a task that transformers.js runs as a whole: its name there, and where it may look for the model. */
  readonly pipeline?: { readonly name: string; readonly dtype?: string; readonly revision?: string; readonly hub?: Partial<HubSettings> }
}

export interface WorkerData {
  readonly spec: ModelSpec
  readonly shared: SharedArrayBuffer
}

export type Task =
  | { readonly kind: 'load' }
  | { readonly kind: 'pass'; readonly slot: number; readonly task: string; readonly options: unknown; readonly inputs: readonly unknown[]; readonly tokensMax: number }
  | { readonly kind: 'generate'; readonly slot: number; readonly id: number; readonly rank: number; readonly request: GenerateRequest }
  | { readonly kind: 'wake' }

export interface Loaded {
  readonly kind: 'loaded'
  readonly ms: number
}
export interface Passed {
  readonly kind: 'passed'
  readonly values?: readonly unknown[]
  readonly vectors?: Float32Array
  readonly refused?: readonly Refusal[]
  readonly tokens: number
  readonly ms: number
}
export interface Generated {
  readonly kind: 'generated'
  readonly result: GenerateResult
}
export type Reply = Loaded | Passed | Generated | { readonly kind: 'failed'; readonly error: ErrorData } | { readonly kind: 'woken' }

/** A cell of the strip that the host wrote. */
export interface StripWrite {
  readonly cell: number
  readonly value: number
}

/** Texts that one decode step produced: pairs of sequence id and text. */
export interface Parts {
  readonly kind: 'parts'
  readonly parts: readonly (readonly [id: number, text: string])[]
}

/** The answer to one input of a batch: its value, its vector, or the value with its vector beside it. */
export function answerAt(reply: Passed, index: number, count: number): unknown {
  const value = reply.values?.[index]
  if (reply.vectors === undefined) return value
  const width = reply.vectors.length / count
  // A copy, so that one answer neither shares memory with a stranger's nor keeps the whole batch alive.
  const vector = count === 1 ? reply.vectors : reply.vectors.slice(index * width, (index + 1) * width)
  return value === undefined ? vector : { vector, ...(value as object) }
}

/** Buffers that an answer fills alone: they move to the host instead of being copied. */
export function buffersOf(reply: Reply): ArrayBuffer[] {
  if (reply.kind !== 'passed') return []
  const within = (value: unknown): unknown[] => (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) ? Object.values(value) : [value])
  const arrays = [reply.vectors, ...(reply.values ?? []).flatMap(within)]
  const whole = arrays.filter((each): each is Float32Array<ArrayBuffer> => each instanceof Float32Array && each.buffer instanceof ArrayBuffer && each.byteLength === each.buffer.byteLength)
  return [...new Set(whole.map(({ buffer }) => buffer))]
}

export const failed = (thrown: unknown, model: string): Reply => ({ kind: 'failed', error: failureOf(thrown, model).toData() })


const STOP = 0
const RUNNING = 1
const STEPS = 2
const ASLEEP = 3
const FIRST_SLOT = 4
const CANCELLED = 1

/**
 * The strip of shared memory between a host and one thread. Messages are read only between native calls,
 * so what must be seen at the next step (stop, cancel, credit) is written here.
 *
 * W1. The thread raises RUNNING before it looks at STOP, and the host raises STOP before it looks at RUNNING:
 *     one of them always sees the other, so no native call starts unseen while the process ends.
 * W2. The thread raises ASLEEP before it looks once more at credit and cancels, and the host writes those before it
 *     looks at ASLEEP: a thread never sleeps on what was just written.
 * W3. A slot belongs to one sequence, or the last ones to one pass, from `claim` to its reply.
 */
export class Strip {
  readonly buffer: SharedArrayBuffer
  readonly #cells: Int32Array
  /** Told of what the host writes, for the one at the other end of a pipe, who shares no memory. */
  mirror: ((write: StripWrite) => void) | undefined

  constructor(buffer = new SharedArrayBuffer(4 * (FIRST_SLOT + 2 * (SLOTS + PASSES_AHEAD)))) {
    this.buffer = buffer
    this.#cells = new Int32Array(buffer)
  }

  /** What the host of another process wrote. */
  apply({ cell, value }: StripWrite): void {
    Atomics.store(this.#cells, cell, value)
  }
  #write(cell: number, value: number): void {
    this.apply({ cell, value })
    this.mirror?.({ cell, value })
  }

  /** Host: no further native call may start. */
  stop(): void {
    this.#write(STOP, 1)
  }
  get stopped(): boolean {
    return Atomics.load(this.#cells, STOP) === 1
  }
  /** Host: blocks until the thread is outside native code, or `ms` are over. True when it is outside. */
  awaitIdle(ms: number): boolean {
    if (Atomics.load(this.#cells, RUNNING) === 0) return true
    return Atomics.wait(this.#cells, RUNNING, 1, ms) !== 'timed-out'
  }

  /** Host: true while the thread is in native code, and how often it went there: a thread that hangs shows the same twice. */
  get progress(): { readonly inside: boolean; readonly steps: number } {
    return { inside: Atomics.load(this.#cells, RUNNING) === 1, steps: Atomics.load(this.#cells, STEPS) }
  }

  /** Thread: false when the host has stopped, and then no native call may be made. */
  enter(): boolean {
    Atomics.store(this.#cells, RUNNING, 1)
    Atomics.add(this.#cells, STEPS, 1)
    if (!this.stopped) return true
    this.leave()
    return false
  }
  leave(): void {
    Atomics.store(this.#cells, RUNNING, 0)
    Atomics.notify(this.#cells, RUNNING)
  }

  /** Thread: all its sequences wait for their readers, and it will look at this strip only when a message wakes it. */
  sleep(asleep: boolean): void {
    Atomics.store(this.#cells, ASLEEP, asleep ? 1 : 0)
  }
  get asleep(): boolean {
    return Atomics.load(this.#cells, ASLEEP) === 1
  }

  claim(slot: number): void {
    this.#write(cancelCell(slot), 0)
    this.#write(creditCell(slot), 0)
  }
  cancel(slot: number): void {
    this.#write(cancelCell(slot), CANCELLED)
  }
  cancelled(slot: number): boolean {
    return Atomics.load(this.#cells, cancelCell(slot)) === CANCELLED
  }
  /** Host: the reader has taken `parts` parts so far. */
  credit(slot: number, parts: number): void {
    this.#write(creditCell(slot), parts)
  }
  taken(slot: number): number {
    return Atomics.load(this.#cells, creditCell(slot))
  }
}

const cancelCell = (slot: number): number => FIRST_SLOT + 2 * slot
const creditCell = (slot: number): number => FIRST_SLOT + 2 * slot + 1
