/** One placed model: its waiting line, its threads, and who gets which next. */
import { TroupeError, type ErrorData } from '../ground/errors.js'
import { Line, rankOf } from './batch.js'
import { Call } from './call.js'
import type { CoreUser, Cores } from './cores.js'
import { Crew, type CrewOptions } from './crew.js'
import type { Answer, Join } from './inference.js'
import type { InferOptions } from './kernel.js'
import type { GenerateRequest } from './kernels/generate.js'
import { BATCH_MAX, GONE_MIN, PASSES_AHEAD, PASS_BESIDE_MS, PASS_COUNT_MAX, PASS_MS, PASS_TOKENS_MAX, PASS_TOKENS_MIN } from './limits.js'
import { Rate } from './rate.js'
import { ThreadDied, type Replica } from './replica.js'
import { answerAt, type Passed, type Strip } from './wire.js'
import { Work, charsOf, costOf } from './work.js'

export interface PoolOptions extends Omit<CrewOptions, 'onChange' | 'onLost'> {
  readonly cores: Cores
  /** Calls that may be open for this model, and characters that they may hold; beyond, `Overloaded`. */
  readonly callsMax: number
  readonly charsMax: number
  /** Pieces of one caller's work that threads may hold at once; what is beyond waits. */
  readonly callerMax: number
  /** The model could not be placed or loaded: there is nothing here to keep. */
  readonly onLost: () => void
}

/** Padded tokens of a pass until its speed is known. */
const TOKENS_FIRST = 256
/** How much of what was just measured goes into an average. */
const FRESH = 0.2

export interface PoolMetrics {
  readonly threads: number
  /** Pieces of work that wait now. */
  readonly waiting: number
  readonly texts: number
  readonly passes: number
  readonly textsPerPass: number
  /** Tokens that went through batch kernels, padding included. */
  readonly tokens: number
  readonly computeMs: number
  /** Tokens a second through batch kernels, over the time in which at least one pass was under way. */
  readonly tokensReadPerSecond: number
  readonly queueMsMean: number
  readonly sequences: number
  readonly tokensWritten: number
  /** Tokens a second that generations wrote, all together, over the time in which at least one was under way. */
  readonly tokensWrittenPerSecond: number
  readonly overloads: number
  readonly threadDeaths: number
  /** Threads that hang in native code; they cannot be ended, and keep their memory. */
  readonly threadsAbandoned: number
  readonly memoryBytes: number
}

/**
 * P1. Work is in the line, or in one replica's hands, or its call has ended.
 * P2. `#evaluate` alone hands out work; everything else notes what happened and asks for an evaluation.
 * P3. Work that was in a thread that died is tried once more, unless its caller has seen part of the answer.
 */
export class Pool implements CoreUser {
  readonly #options: PoolOptions
  readonly #line: Line<Work>
  readonly #calls = new Set<Call>()
  readonly #crew: Crew
  #nextCaller = 1
  /** Characters that open calls hold. */
  #chars = 0
  #lastUsed = 0
  #gone = 0
  /** Estimated tokens of the passes that threads hold. */
  #inHand = 0
  #msPerToken = PASS_MS / TOKENS_FIRST
  #msPerSequence = 500
  #stopping = false
  #evaluating = false
  readonly #read = new Rate()
  readonly #written = new Rate()
  readonly #counts = { texts: 0, passes: 0, tokens: 0, computeMs: 0, queueMs: 0, sequences: 0, tokensWritten: 0, overloads: 0 }

  constructor(options: PoolOptions) {
    this.#options = options
    this.#line = new Line(options.callerMax)
    this.#crew = new Crew({ ...options, onChange: () => this.#evaluateSoon(), onLost: (error) => this.#lose(error) })
    options.cores.join(this)
  }

  get memoryBytes(): number {
    return this.#crew.memoryBytes
  }
  /** When it last had something to do, by the clock's `elapsed`. */
  get lastUsed(): number {
    return this.#lastUsed
  }
  /** Gives its memory back until it is needed again. */
  rest(): Promise<void> {
    return this.#crew.rest()
  }

  /** True when no call is open. */
  get quiet(): boolean {
    return this.#calls.size === 0
  }
  get strips(): readonly Strip[] {
    return this.#crew.strips
  }
  get usage(): { threads: number; rank: number } {
    const each = this.#crew.placed?.spec.threads ?? 1
    const busy = [...this.#crew.members].filter((replica) => replica.computing)
    return { threads: busy.length * each, rank: Math.min(...busy.map(({ rank }) => rank)) }
  }
  retry(): void {
    if (this.#line.size > 0) this.#evaluateSoon()
  }

  metrics(): PoolMetrics {
    const { queueMs, ...counts } = this.#counts
    const served = counts.texts + counts.sequences
    return { threads: this.#crew.members.size, threadDeaths: this.#crew.deaths, threadsAbandoned: this.#crew.abandoned, memoryBytes: this.#crew.memoryBytes, waiting: this.#line.size, textsPerPass: counts.passes === 0 ? 0 : counts.texts / counts.passes, queueMsMean: served === 0 ? 0 : queueMs / served, tokensReadPerSecond: this.#read.perSecond, tokensWrittenPerSecond: this.#written.perSecond, ...counts }
  }

  /** Many inputs of a batch kernel, answered together. */
  pass(task: string, inputs: readonly unknown[], options: unknown, how: InferOptions): Answer<unknown, unknown> {
    const call = this.#admit(inputs.length, inputs.reduce<number>((sum, input) => sum + charsOf(input), 0), how)
    if (call.ended) return call.answer
    if (inputs.length === 0) call.end([])
    const group = `${task} ${JSON.stringify(options ?? null)}`
    const shared = { call, kind: 'pass', task, options, group, ...this.#who(how) } as const
    const works = inputs.map((input, index) => new Work({ ...shared, input, index, cost: costOf(input) }))
    // Neighbours of like length share a pass; results go back by index.
    for (const work of works.sort((a, b) => a.cost - b.cost)) this.#line.add(work)
    this.#evaluateSoon()
    return call.answer
  }

  /** One sequence, written part by part. */
  sequence(request: GenerateRequest, how: InferOptions, join: Join<unknown>): Answer<unknown, unknown> {
    const call = this.#admit(1, JSON.stringify(request).length, how, join)
    if (call.ended) return call.answer
    this.#line.add(new Work({ call, kind: 'sequence', task: 'generate', options: undefined, group: 'generate', input: request, index: 0, cost: 1, ...this.#who(how) }))
    this.#evaluateSoon()
    return call.answer
  }

  warm(): Promise<void> {
    return this.#crew.warm()
  }

  /** Ends all calls, waits for the running steps, then ends the threads. */
  async stop(reason: TroupeError): Promise<void> {
    this.#stopping = true
    this.#options.cores.leave(this)
    this.#crew.halt()
    this.#failAll(reason)
    await this.#crew.close()
  }

  #admit(count: number, chars: number, how: InferOptions, join?: Join<unknown>): Call {
    const { clock, callsMax, charsMax } = this.#options
    const onEnd = (call: Call): void => {
      if (this.#calls.delete(call)) this.#chars -= call.chars
      if (this.quiet) this.#line.drain()
      else if (call.missing > 0) this.#noteGone(call.missing)
    }
    const call = new Call({ clock, how, count, chars, onEnd, ...(join === undefined ? {} : { join }) })
    if (call.ended) return call
    if (this.#stopping) call.fail(new TroupeError('Cancelled', 'the model host has stopped', 'create a new host'))
    else if (this.#calls.size >= callsMax || (this.#calls.size > 0 && this.#chars + chars > charsMax)) call.fail(this.#overloaded())
    if (call.ended) return call
    this.#calls.add(call)
    this.#chars += chars
    this.#lastUsed = clock.elapsed()
    return call
  }

  /** What is gone is dropped when it is met; when much of the line is gone, it is looked for. */
  #noteGone(pieces: number): void {
    this.#gone += pieces
    if (this.#gone < GONE_MIN || this.#gone * 2 < this.#line.size) return
    this.#gone = 0
    this.#line.sweep()
  }

  #overloaded(): TroupeError {
    this.#counts.overloads++
    const { model } = this.#options
    const retryAfterMs = Math.max(1, Math.ceil(this.#backlogMs()))
    return new TroupeError('Overloaded', `${this.#calls.size} calls are already open for ${model}`, 'try again after details.retryAfterMs, or send less at once', { model, calls: this.#calls.size, retryAfterMs })
  }

  /** How long what waits will take, by what was measured so far. */
  #backlogMs(): number {
    const threads = Math.max(1, this.#crew.members.size)
    const perPiece = this.#counts.sequences > 0 ? this.#msPerSequence / BATCH_MAX : 0
    return ((this.#line.cost + this.#inHand) * this.#msPerToken + this.#line.size * perPiece) / threads
  }

  #who({ urgency = 'normal', caller }: InferOptions): Pick<Work, 'urgency' | 'caller' | 'since'> {
    return { urgency, caller: caller ?? `call ${this.#nextCaller++}`, since: this.#options.clock.elapsed() }
  }

  /** After everything that happens in this turn has been noted, so that what comes together goes together. */
  #evaluateSoon(): void {
    if (this.#evaluating || this.#stopping) return
    this.#evaluating = true
    process.nextTick(() => {
      this.#evaluating = false
      this.#evaluate()
    })
  }

  #evaluate(): void {
    if (this.#stopping || this.quiet) return
    const ready = this.#crew.ready
    for (let round = 0; round < PASSES_AHEAD; round++) {
      for (const replica of ready) if (replica.takesPass && replica.passes === round) this.#handPass(replica, ready.length)
    }
    while (this.#roomFor(0) !== undefined && this.#handSequence());
    if (this.#line.size > 0 || (ready.length > 0 && ready.every(({ sequences }) => sequences >= BATCH_MAX / 2))) this.#crew.grow()
  }

  /** What waits is spread over the threads; a pass is never larger than its time allows, and one sent ahead is worth its trip. */
  #handPass(replica: Replica, ready: number): void {
    const ahead = replica.passes > 0
    const most = clamp(PASS_MS / this.#msPerToken, PASS_TOKENS_MIN, PASS_TOKENS_MAX)
    if (ahead && this.#line.cost * 2 < most) return
    const crowded = this.#options.cores.shared
    const fits = ({ kind, urgency }: Work): boolean => kind === 'pass' && !(ahead && crowded && urgency === 'bulk') && this.#mayCompute(replica, rankOf(urgency))
    const share = Math.max(Math.ceil((this.#line.cost + this.#inHand) / (ready * PASSES_AHEAD)), most / 2)
    const bulkMost = crowded ? clamp(PASS_BESIDE_MS / this.#msPerToken, PASS_TOKENS_MIN, PASS_TOKENS_MAX) : most
    const limit = (first: Work): number => Math.min(share, first.urgency === 'bulk' ? bulkMost : most)
    const batch = this.#line.gather({ tokensMax: limit, countMax: this.#crew.placed?.spec.pipeline === undefined ? PASS_COUNT_MAX : 1 }, fits)
    if (batch.length > 0) void this.#runPass(replica, batch, most)
  }

  #mayCompute(replica: Replica, rank: number): boolean {
    return replica.computing || this.#options.cores.allows(this, { threads: this.#crew.placed?.spec.threads ?? 1, rank })
  }

  async #runPass(replica: Replica, batch: readonly Work[], tokensMax: number): Promise<void> {
    this.#noteStart(batch)
    const cost = batch.reduce((sum, work) => sum + work.cost, 0)
    this.#inHand += cost
    this.#read.begin(this.#options.clock.elapsed())
    let tokens = 0
    const first = batch[0] as Work
    const pass = replica.pass({ task: first.task, options: first.options, inputs: batch.map(({ input }) => input), tokensMax: Math.floor(tokensMax) }, rankOf(first.urgency))
    const leave = (): void => void (batch.every(({ gone }) => gone) && pass.cancel())
    for (const { call } of batch) call.whenLeft(leave)
    try {
      const reply = await pass.result
      tokens = reply.tokens
      this.#learnPass(reply, batch.length)
      for (const { index, error } of reply.refused ?? []) refuse(batch[index] as Work, error)
      for (const [at, work] of batch.entries()) if (!work.gone) work.call.settle(work.index, answerAt(reply, at, batch.length))
    } catch (thrown) {
      if (thrown instanceof ThreadDied) this.#died(replica, batch, thrown)
      else for (const { call } of batch) call.fail(thrown as TroupeError)
    }
    for (const { call } of batch) call.noLonger(leave)
    this.#inHand -= cost
    this.#read.end(this.#options.clock.elapsed(), tokens)
    this.#done(replica, batch)
  }

  #handSequence(): boolean {
    const [work] = this.#line.gather({ tokensMax: () => 1, countMax: 1 }, ({ kind, urgency }) => kind === 'sequence' && this.#roomFor(rankOf(urgency)) !== undefined)
    if (work === undefined) return false
    const replica = this.#roomFor(rankOf(work.urgency)) as Replica
    void this.#runSequence(replica, work)
    return true
  }

  #roomFor(rank: number): Replica | undefined {
    const open = this.#crew.ready.filter((replica) => replica.takesSequence(rank) && this.#mayCompute(replica, rank))
    return open.sort((a, b) => a.sequences - b.sequences)[0]
  }

  async #runSequence(replica: Replica, work: Work): Promise<void> {
    this.#noteStart([work])
    const { call } = work
    const started = this.#options.clock.elapsed()
    this.#written.begin(started)
    let tokens = 0
    let told = false
    const onPart = (text: string): void => {
      told = true
      call.answer.push({ text })
    }
    const running = replica.sequence({ request: work.input as GenerateRequest, rank: rankOf(work.urgency), onPart })
    call.producer = { taken: (parts) => running.taken(parts), left: () => running.cancel() }
    try {
      const result = await running.result
      this.#counts.sequences++
      tokens = result.usage.completionTokens
      this.#counts.tokensWritten += tokens
      this.#msPerSequence += FRESH * (this.#options.clock.elapsed() - started - this.#msPerSequence)
      this.#crew.noteSuccess()
      call.end(result)
    } catch (thrown) {
      if (thrown instanceof ThreadDied) this.#died(replica, told ? [] : [work], thrown, told ? [work] : [])
      else call.fail(thrown as TroupeError)
    }
    this.#written.end(this.#options.clock.elapsed(), tokens)
    this.#done(replica, [work])
  }

  /** A thread has finished something: this model may go on, and so may others. */
  #done(replica: Replica, work: readonly Work[]): void {
    this.#line.release(work)
    this.#crew.noteWork(replica)
    this.#evaluateSoon()
    this.#options.cores.freed(this)
  }

  #noteStart(batch: readonly Work[]): void {
    const now = this.#options.clock.elapsed()
    for (const { since } of batch) this.#counts.queueMs += now - since
  }

  #learnPass({ ms, tokens }: Passed, texts: number): void {
    this.#crew.noteSuccess()
    this.#counts.passes++
    this.#counts.texts += texts
    this.#counts.tokens += tokens
    this.#counts.computeMs += ms
    if (tokens > 0) this.#msPerToken += FRESH * (ms / tokens - this.#msPerToken)
  }

  #died(replica: Replica, again: readonly Work[], cause: Error, lost: readonly Work[] = []): void {
    const retried = again.filter(({ tries, gone }) => tries === 0 && !gone)
    for (const work of retried) work.tries++
    this.#line.giveBack(retried)
    const error = this.#crew.bury(replica, cause)
    for (const { call } of [...lost, ...again.filter((work) => !retried.includes(work))]) call.fail(error)
    this.#evaluateSoon()
  }

  #lose(error: TroupeError): void {
    this.#options.cores.leave(this)
    this.#failAll(error)
    this.#options.onLost()
  }

  #failAll(error: TroupeError): void {
    this.#line.drain()
    for (const call of this.#calls) call.fail(error)
  }
}

const clamp = (value: number, least: number, most: number): number => Math.min(Math.max(value, least), most)

/** The error of one input, by its place in its own call rather than in the batch. */
const refuse = ({ call, index }: Work, error: ErrorData): void => call.fail(TroupeError.fromData({ ...error, details: { ...error.details, index } }))
