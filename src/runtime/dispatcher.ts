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
  /** Does a fair share of its work, and stops where the dispatcher is `tired`; it is queued again if there is `more`. */
  turn(): void
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

const SOON = Promise.resolve()

type Waiting = 'nothing' | 'microtask' | 'next turn' | 'running'

export class Dispatcher {
  #ready: Runnable[] = []
  #head = 0
  #waiting: Waiting = 'nothing'
  #turnBegan: number
  #steps = 0
  /** Looking at the clock costs more than a quick message does: so many envelopes pass between two looks. */
  #stride = 1
  #untilLook = 1
  #lookedAt = 0
  #spent = false
  readonly #clock: Clock
  readonly #picks: boolean
  #turn = 0
  /** Whether the next turn is to be counted: only while somebody looks. */
  #counts = false
  #onIdle: (() => void) | undefined
  #breath: Breath | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#picks = clock.pick !== undefined
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

  /** The same for work that is in no cell's turn, such as a stream's chunks; to be asked for each. */
  breathe(): Promise<void> | undefined {
    if (!this.tired()) return undefined
    this.#breath ??= breath()
    if (this.#waiting === 'nothing') this.#afterTurn()
    return this.#breath.promise
  }

  /** Whether the budget of this turn of the event loop is spent; to be asked once for each envelope. */
  tired(): boolean {
    return --this.#untilLook <= 0 ? this.#look() : this.#spent
  }

  /** The turn of the event loop, by a number that changes with each. */
  get turn(): number {
    if (!this.#counts) {
      this.#counts = true
      this.#clock.nextTurn(() => {
        this.#counts = false
        this.#turn++
      })
    }
    return this.#turn
  }

  nextTurn(run: () => void): void {
    this.#clock.nextTurn(run)
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
    if (this.#spent) this.#afterTurn()
    else {
      this.#waiting = 'microtask'
      // Not queueMicrotask, of which Node makes an async resource each time: that takes four times as long.
      void SOON.then(this.#run)
    }
  }

  #afterTurn(): void {
    this.#waiting = 'next turn'
    this.#clock.nextTurn(this.#newTurn)
  }

  readonly #newTurn = (): void => {
    this.#turnBegan = this.#lookedAt = this.#clock.elapsed()
    this.#steps = 0
    this.#spent = false
    this.#breath?.resolve()
    this.#breath = undefined
    this.#run()
  }

  readonly #run = (): void => {
    this.#waiting = 'running'
    try {
      this.#serve()
    } finally {
      // Only a bug lands here still running; the other cells must not pay for it, nor the cell with the bug.
      if (this.#waiting === 'running') {
        const cell = this.#ready[this.#head - 1]
        if (cell !== undefined) this.#requeue(cell)
        this.#afterTurn()
      }
    }
  }

  #serve(): void {
    while (this.#head < this.#ready.length) {
      if (this.#spent) return this.#afterTurn()
      if (this.#picks) this.#pick()
      const cell = this.#ready[this.#head++] as Runnable
      // A visit counts too, and so do its envelopes, each by itself.
      this.tired()
      cell.turn()
      this.#requeue(cell)
      if (this.#head > 1_024) {
        this.#ready.splice(0, this.#head)
        this.#head = 0
      }
    }
    this.#ready.length = 0
    this.#head = 0
    if (this.#breath !== undefined) return this.#afterTurn()
    this.#waiting = 'nothing'
    this.#onIdle?.()
  }

  /** Whose turn is next is the clock's to say. */
  #pick(): void {
    const ready = this.#ready
    const head = this.#head
    const picked = head + (this.#clock.pick?.(ready.length - head) ?? 0)
    const first = ready[head] as Runnable
    ready[head] = ready[picked] as Runnable
    ready[picked] = first
  }

  #requeue(cell: Runnable): void {
    cell.queued = cell.more
    if (cell.queued) this.#ready.push(cell)
  }

  /** Every sixteenth envelope while they are quick, every one when they are slow. */
  #look(): boolean {
    const now = this.#clock.elapsed()
    this.#steps += this.#stride
    this.#stride = now - this.#lookedAt > SLICE_MS / 4 ? 1 : Math.min(16, this.#stride * 2)
    this.#untilLook = this.#stride
    this.#lookedAt = now
    return (this.#spent = this.#steps > SLICE_STEPS || now - this.#turnBegan > SLICE_MS)
  }
}
