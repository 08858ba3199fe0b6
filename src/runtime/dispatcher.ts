/**
 * Owns: the queue of cells that are ready, and the event loop's patience.
 * Does not own: what a cell does with its turn.
 *
 * Invariants:
 * D1. A cell stands in the queue at most once.
 * D2. A run starts in a microtask, but all runs of one turn of the event loop share one budget; when it is spent,
 *     the next run waits for the loop to turn. So timers fire, whoever queues what in whichever microtask.
 * D3. The stack does not grow with the length of a conversation: a turn never runs inside another.
 */
import type { Clock } from '../ground/clock.js'
import { SLICE_MS, SLICE_STEPS } from './limits.js'

/** Something that has work to do now and then. */
export interface Runnable {
  /** Whether it stands in the queue: the dispatcher's own note. */
  queued: boolean
  /** Does a fair share of its work; returns how much, and is queued again if `more`. */
  turn(): number
  readonly more: boolean
}

/** A promise that the next turn of the event loop resolves. */
interface Breath {
  readonly promise: Promise<void>
  readonly resolve: () => void
}
function breath(): Breath {
  let resolve = (): void => {}
  return { promise: new Promise<void>((done) => (resolve = done)), resolve: () => resolve() }
}

type Waiting = 'nothing' | 'microtask' | 'next turn' | 'running'

export class Dispatcher {
  #ready: Runnable[] = []
  #head = 0
  #waiting: Waiting = 'nothing'
  #turnBegan: number
  #steps = 0
  #starts = 0
  readonly #clock: Clock
  #onIdle: (() => void) | undefined
  #breath: Breath | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#turnBegan = clock.elapsed()
  }

  /** Whether no cell has anything to do. */
  get idle(): boolean {
    return this.#waiting === 'nothing'
  }

  /**
   * What a sender outside awaits: nothing, or the event loop's next turn when the budget of this one is spent. A program
   * that awaits one tell after another would otherwise never let the loop turn, nor anybody handle what it sends.
   */
  get breath(): Promise<void> | undefined {
    if (this.#waiting !== 'next turn') return undefined
    this.#breath ??= breath()
    return this.#breath.promise
  }

  /** The cell has work: it gets its turn soon. */
  ready(cell: Runnable): void {
    if (cell.queued) return
    cell.queued = true
    this.#ready.push(cell)
    if (this.#waiting === 'nothing') this.#start()
  }

  /** Something has come to an end: who waits for rest looks whether it has come. */
  poke(): void {
    if (this.idle) this.#onIdle?.()
  }

  /** Calls `look` whenever nothing is ready, until it is taken back with `undefined`. */
  onIdle(look: (() => void) | undefined): void {
    this.#onIdle = look
  }

  #start(): void {
    // Looking at the clock costs more than a message does, so only every sixteenth start looks.
    if ((++this.#starts & 15) === 0 && this.#spent()) this.#afterTurn()
    else {
      this.#waiting = 'microtask'
      queueMicrotask(this.#run)
    }
  }

  #afterTurn(): void {
    this.#waiting = 'next turn'
    this.#clock.nextTurn(this.#newTurn)
  }

  readonly #newTurn = (): void => {
    this.#turnBegan = this.#clock.elapsed()
    this.#steps = 0
    this.#breath?.resolve()
    this.#breath = undefined
    this.#run()
  }

  readonly #run = (): void => {
    this.#waiting = 'running'
    try {
      this.#serve()
    } finally {
      // Only a bug lands here still running; the other cells must not pay for it.
      if (this.#waiting === 'running') this.#afterTurn()
    }
  }

  #serve(): void {
    let visits = 0
    while (this.#head < this.#ready.length) {
      const cell = this.#ready[this.#head++] as Runnable
      this.#steps += cell.turn() + 1
      cell.queued = false
      if (cell.more) {
        cell.queued = true
        this.#ready.push(cell)
      }
      if (this.#head > 1_024) {
        this.#ready.splice(0, this.#head)
        this.#head = 0
      }
      if ((++visits & 7) === 0 && this.#head < this.#ready.length && this.#spent()) return this.#afterTurn()
    }
    this.#ready.length = 0
    this.#head = 0
    this.#waiting = 'nothing'
    this.#onIdle?.()
  }

  #spent(): boolean {
    return this.#steps > SLICE_STEPS || this.#clock.elapsed() - this.#turnBegan > SLICE_MS
  }
}
