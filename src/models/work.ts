/** A piece of work that waits for a model: one input of a batch kernel, or one generation. */
import type { Waiting } from './batch.js'
import type { Call } from './call.js'
import { BINARY_COST, isPair, type Urgency } from './kernel.js'

export class Work implements Waiting {
  readonly call: Call
  readonly kind: 'pass' | 'sequence'
  readonly task: string
  readonly options: unknown
  readonly input: unknown
  readonly index: number
  readonly group: string
  readonly cost: number
  readonly urgency: Urgency
  readonly caller: string
  readonly since: number
  tries = 0

  constructor({ call, kind, task, options, input, index, group, cost, urgency, caller, since }: Omit<Work, 'gone' | 'tries'>) {
    this.call = call
    this.kind = kind
    this.task = task
    this.options = options
    this.input = input
    this.index = index
    this.group = group
    this.cost = cost
    this.urgency = urgency
    this.caller = caller
    this.since = since
  }

  get gone(): boolean {
    return this.call.ended
  }
}

/** What an input that is neither text nor bytes counts for. */
const OTHER = 64
/** A text takes several times its length on its way through tokens; bytes go as they are. */
const BYTES_PER_CHAR = 8

export const charsOf = (input: unknown): number => (typeof input === 'string' ? input.length : isPair(input) ? input.text.length + input.pair.length : Math.ceil(bytesIn(input) / BYTES_PER_CHAR) || OTHER)

/** Bytes of the arrays that an input is or holds. */
function bytesIn(input: unknown): number {
  if (ArrayBuffer.isView(input)) return input.byteLength
  if (typeof input !== 'object' || input === null) return 0
  return Object.values(input).reduce<number>((sum, value) => sum + (ArrayBuffer.isView(value) ? value.byteLength : 0), 0)
}

/** Tokens of a text, roughly: a byte-level token is some three and a half bytes, and no kernel reads more than 512. */
export const costOf = (input: unknown): number => {
  const text = typeof input === 'string' ? input : isPair(input) ? input.text + input.pair : undefined
  if (text === undefined) return bytesIn(input) > 0 ? BINARY_COST : OTHER
  return Math.min(512, Math.ceil(Buffer.byteLength(text) / 3.5) + 2)
}
