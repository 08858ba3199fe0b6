/** The calls of one model turn, made side by side. */
import { createHash } from 'node:crypto'
import type { ChatMessage, ToolCall } from '../../models/index.js'
import { protocol, TroupeError, type Address, type Duration, type Me } from '../../runtime/index.js'
import { milliseconds } from '../../ground/duration.js'
import type { JsonObject } from '../json-schema-of.js'
import { approved, type Patience } from './approval.js'
import { NOTHING_SPENT, sum } from './budget.js'
import { emitting, type Emitter } from './emitting.js'
import { judged, type Guardrail } from './guardrail.js'
import { hearAgent } from './hear-agent.js'
import { CALLS_AT_ONCE_MAX } from './limits.js'
import type { AgentChunk } from './protocol.js'
import type { Purse } from './purse.js'
import { readCall } from './read-call.js'
import { failure, readable, told, type Result } from './told.js'
import type { Tool } from './tool.js'
import { unlessAborted } from './unless-aborted.js'

/** What the calls of a run have in common. */
export interface Bench {
  readonly tools: ReadonlyMap<string, Tool>
  readonly approver: { readonly address: Address; readonly patience: Patience } | undefined
  readonly guardrail: Guardrail | undefined
  readonly context: JsonObject
  readonly purse: Purse
  /** Whether what other agents bring is on record, which their chunks are not. */
  readonly durable: boolean
  /** Which turn of the model these calls are. */
  readonly turn: number
}
export interface Used {
  /** They tell the model. */
  readonly turns: readonly ChatMessage[]
  /** The model made nothing but mistakes. */
  readonly mistaken: boolean
  /** What a tool gave that has the last word. */
  readonly answer: { readonly output: unknown } | undefined
}
type Hand = Pick<Me, 'ask' | 'stream' | 'ref' | 'step' | 'id' | 'envelope' | 'signal' | 'clock'>

/** Of an address in the name of a question, which may have 200 in all. */
const ID_CHARS_MAX = 80
const TIMEOUT_USUAL: Duration = '60s'
const ASK_TIMEOUT_USUAL: Duration = '30s'
const NOBODY = protocol({})

/** Streams what happens, and gives what came of it. */
export function useTools(calls: readonly ToolCall[], bench: Bench, me: Hand): AsyncGenerator<AgentChunk, Used> {
  return emitting(async (emitter: Emitter<AgentChunk>) => {
    const siblings = new AbortController()
    const settled = await Promise.allSettled(
      calls.map(async (call, at) => {
        try {
          return await new Use(call, { ...bench, among: calls.length }, me, siblings, emitter).run(at)
        } catch (error) {
          // One that failed for good takes those beside it along.
          siblings.abort(error)
          throw error
        }
      }),
    )
    me.signal.throwIfAborted()
    if (siblings.signal.aborted) throw siblings.signal.reason
    const results = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    const turns = results.map(({ output, note }, at): ChatMessage => ({ role: 'tool', content: [note, readable(output)].filter((part) => part !== undefined).join('\n'), toolCallId: (calls[at] as ToolCall).id, toolName: (calls[at] as ToolCall).name }))
    const answer = results.find(({ ok }, at) => ok && bench.tools.get((calls[at] as ToolCall).name)?.answers === true)
    return { turns, mistaken: results.every(({ mistake }) => mistake === true), answer }
  })
}

class Use {
  readonly #call: ToolCall
  readonly #bench: Bench & { readonly among: number }
  readonly #me: Hand
  readonly #siblings: AbortController
  readonly #emitter: Emitter<AgentChunk>

  constructor(call: ToolCall, bench: Bench & { readonly among: number }, me: Hand, siblings: AbortController, emitter: Emitter<AgentChunk>) {
    this.#call = call
    this.#bench = bench
    this.#me = me
    this.#siblings = siblings
    this.#emitter = emitter
  }

  async run(at: number): Promise<Result> {
    const { name: tool, id } = this.#call
    const speaker = this.#me.id
    const read = at < CALLS_AT_ONCE_MAX ? readCall(this.#call, this.#bench.tools) : { wrong: `too many calls at once: make at most ${CALLS_AT_ONCE_MAX}`, input: this.#call.input }
    this.#emitter.emit({ kind: 'tool-call', speaker, id, tool, input: read.input })
    const result = 'wrong' in read ? { ok: false, output: read.wrong, mistake: true } : await this.#allowed(read.tool, read.input, at)
    this.#emitter.emit({ kind: 'tool-result', speaker, id, tool, ok: result.ok, output: result.output })
    return result
  }

  async #allowed(tool: Tool, input: unknown, at: number): Promise<Result> {
    if (!tool.approve(input)) return this.#used(tool, input)
    const { approver } = this.#bench
    if (approver === undefined) throw new TroupeError('InvalidDefinition', `${tool.name} needs a person's approval, and the agent has nobody to ask`, 'give agent({ approver: ref }) a human, or any actor with an `approve` request')
    const { approved: yes, comment, how, changes } = await this.#asked(tool, input, approver, at)
    if (!yes) return { ok: false, output: how === 'expired' ? 'not done: a person was asked, and nobody decided in time' : `not done: the person who was asked said no${comment === undefined ? '' : `: ${comment}`}` }
    if (changes === undefined) return this.#used(tool, input)
    const changed = { ...(input as object), ...changes }
    const wrong = tool.wrong(changed)
    if (wrong !== undefined) return { ok: false, output: `not done: the person who was asked changed the input, and so it is not as ${tool.name} takes it: ${wrong}` }
    return { ...(await this.#used(tool, changed)), note: `The person who was asked changed the input to ${readable(changed)}` }
  }

  async #used(tool: Tool, input: unknown): Promise<Result> {
    const result = await this.#done(tool, input)
    if (result.ok || tool.onError !== 'fail' || this.#siblings.signal.aborted) return result
    throw new TroupeError('ActorFailed', `tool ${tool.name} failed: ${readable(result.output)}`, "see what it says, or let the model go on without it: onError: 'tell'", { tool: tool.name })
  }

  async #asked(tool: Tool, input: unknown, approver: NonNullable<Bench['approver']>, at: number): Promise<Awaited<ReturnType<typeof approved>>> {
    const { id } = this.#call
    const chunk = { kind: 'approval', speaker: this.#me.id, id, tool: tool.name, input } as const
    this.#emitter.emit({ ...chunk, state: 'asked' })
    const word = await approved(approver, tool.name, input, this.#nameOf(tool, input, at), this.#siblings.signal, this.#me)
    this.#emitter.emit({ ...chunk, state: word.approved ? 'granted' : 'denied', ...(word.by !== undefined && { by: word.by }), ...(word.comment !== undefined && { comment: word.comment }), ...(word.changes !== undefined && { changes: word.changes }) })
    return word
  }

  /** The same for the same call alone: a provider may give two calls one id, and a yes to one of them is none to the other. */
  #nameOf({ name }: Tool, input: unknown, at: number): string {
    const { id, envelope } = this.#me
    const what = createHash('sha256').update(JSON.stringify([id, name, input])).digest('base64url')
    return `${id.slice(0, ID_CHARS_MAX)}#${envelope}/${this.#bench.turn}.${at}/${what}`
  }

  async #done(tool: Tool, input: unknown): Promise<Result> {
    const result = await this.#act(tool, input)
    if (!result.ok || this.#bench.guardrail === undefined) return result
    const verdict = await judged(this.#bench.guardrail, readable(result.output), 'passage', this.#me)
    if (verdict.verdict === 'allow') return result
    return verdict.verdict === 'redact' ? { ok: true, output: verdict.text } : { ok: false, output: `withheld by a guardrail: ${verdict.reason}` }
  }

  async #act({ name, doing, timeout }: Tool, input: unknown): Promise<Result> {
    const me = this.#me
    const { deadline } = this.#bench.purse
    // A person may have taken longer than the run has.
    if (me.clock.now() >= deadline) return { ok: false, output: 'not done: the time of the run is over' }
    const within = (usual: Duration): number => Math.max(1, Math.min(timeout === 'none' ? Infinity : milliseconds(timeout ?? usual), deadline - me.clock.now()))
    try {
      switch (doing.kind) {
        case 'own':
          return { ok: true, output: await doing.run(input) }
        case 'ask': {
          const message = { ...(input as object), ...doing.also, type: doing.request }
          const ms = within(ASK_TIMEOUT_USUAL)
          const reply: unknown = await me.ask(me.ref(NOBODY, doing.address), message as never, { timeout: ms === Infinity ? 'none' : ms, signal: this.#siblings.signal })
          return told(doing.gives === undefined ? reply : (reply as Readonly<Record<string, unknown>>)[doing.gives])
        }
        case 'agent':
          return await this.#askAgent(doing.address, (input as { readonly task: string }).task)
        case 'run':
          return await me.step(`tool ${name}`, (work) => this.#once(doing.run, input, work), stepTimeout(within(TIMEOUT_USUAL)))
      }
    } catch (error) {
      me.signal.throwIfAborted()
      return failure(error, this.#siblings.signal)
    }
  }

  async #askAgent(address: Address, input: string): Promise<Result> {
    const { purse, context, among, durable } = this.#bench
    const share = purse.left(this.#me.clock.now(), among)
    if (share === undefined) return { ok: false, output: 'not done: too little of the budget is left' }
    let spent = NOTHING_SPENT
    const as = (chunk: AgentChunk): AgentChunk => {
      if (chunk.kind === 'usage') spent = sum(spent, { ...chunk, steps: 1 })
      return chunk.kind === 'text' ? { ...chunk, kind: 'thought' } : chunk
    }
    try {
      this.#emitter.emit({ kind: 'turn', speaker: address })
      const heard = hearAgent(address, { input, context, ...(share.budget !== undefined && { budget: share.budget }) }, { recorded: durable, as, signal: this.#siblings.signal }, this.#me)
      let next = await heard.next()
      for (; next.done !== true; next = await heard.next()) {
        this.#emitter.emit(next.value)
        await this.#emitter.room()
      }
      const { text, value, finish, usage } = next.value
      spent = usage
      return finish === 'refused' ? { ok: false, output: text } : told(value ?? text)
    } finally {
      purse.share(spent)
    }
  }

  /** What a tool throws is its outcome, and recorded as such; that nobody wants it any more is not. */
  async #once(run: Extract<Tool['doing'], { kind: 'run' }>['run'], input: unknown, work: { readonly signal: AbortSignal; readonly idempotencyKey: string }): Promise<Result> {
    const stop = this.#siblings.signal
    const signal = AbortSignal.any([work.signal, stop])
    try {
      return told(await unlessAborted(stop, async () => run(input, { signal, idempotencyKey: work.idempotencyKey, context: this.#bench.context })))
    } catch (error) {
      work.signal.throwIfAborted()
      return failure(error, stop)
    }
  }
}

const stepTimeout = (ms: number): { readonly timeout?: number } => (ms === Infinity ? {} : { timeout: ms })
