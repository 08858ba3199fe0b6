/** Model calls on tape: recorded once, in a file of JSON lines, and played back by task, model and input ever after. */
import { appendFile, readFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { TroupeError } from '../ground/errors.js'
import { pack, unpack } from '../runtime/codec.js'
import type { Inference, InferOptions, Kernels } from '../runtime/effects.js'

/** One call as a line: what it gave whole, or its parts. A value that JSON cannot hold is packed, in base64. */
interface Line {
  readonly task: string
  readonly model: string
  readonly input: string
  readonly result?: Value
  readonly parts?: readonly Value[]
}
type Value = { readonly json: unknown } | { readonly packed: string }

export interface Cassette extends Kernels {
  /** Calls that were recorded, and played back, so far. */
  readonly recorded: number
  readonly played: number
  /** Resolves once all that was recorded is in the file. */
  saved(): Promise<void>
}

/**
 * Kernels that play back what the file has. What it has not goes to `record`, when that is given, and is added to the
 * file; otherwise it is `Gone`. Calls that are alike are played in the order of their recording, the last again and again.
 */
export async function cassette(file: string, options: { readonly record?: Kernels } = {}): Promise<Cassette> {
  const tape = new Tape(file, options.record)
  await tape.load()
  return tape
}

class Tape implements Cassette {
  recorded = 0
  played = 0
  readonly #file: string
  readonly #source: Kernels | undefined
  readonly #lines = new Map<string, Line[]>()
  /** How many calls of each kind were played. */
  readonly #at = new Map<string, number>()
  #writing: Promise<void> = Promise.resolve()
  readonly now: (() => number) | undefined

  constructor(file: string, source: Kernels | undefined) {
    this.#file = file
    this.#source = source
    this.now = source?.now?.bind(source)
  }

  async load(): Promise<void> {
    const text = await readFile(this.#file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' && this.#source !== undefined) return ''
      throw new TroupeError('Gone', `there is no cassette at ${this.#file}`, 'record it first: cassette(file, { record: await createHost() })', {}, error)
    })
    for (const line of text.split('\n')) if (line !== '') this.#keep(JSON.parse(line) as Line)
  }

  #keep(line: Line): void {
    const key = keyOf(line)
    const known = this.#lines.get(key)
    if (known === undefined) this.#lines.set(key, [line])
    else known.push(line)
  }

  infer(task: string, model: string, input: unknown, options?: InferOptions): Inference {
    const call = { task, model, input: createHash('sha256').update(pack(input)).digest('hex').slice(0, 32) }
    const known = this.#lines.get(keyOf(call))
    if (known === undefined && this.#source !== undefined) return this.#record(call, this.#source.infer(task, model, input, options))
    if (known === undefined) throw new TroupeError('Gone', `${this.#file} has no ${task} of ${model} with this input`, 'record it again: cassette(file, { record: await createHost() })')
    const at = this.#at.get(keyOf(call)) ?? 0
    this.#at.set(keyOf(call), at + 1)
    this.played++
    return play(known[Math.min(at, known.length - 1)] as Line)
  }

  #record(call: Omit<Line, 'result' | 'parts'>, inference: Inference): Inference {
    const whole = async (): Promise<unknown> => {
      const result = await inference
      this.#write({ ...call, result: toValue(result) })
      return result
    }
    const write = (parts: readonly Value[]): void => this.#write({ ...call, parts })
    return {
      // oxlint-disable-next-line unicorn/no-thenable -- a call is awaited or iterated, as its caller likes
      then: (fulfilled, rejected) => whole().then(fulfilled, rejected),
      async *[Symbol.asyncIterator]() {
        const parts: Value[] = []
        for await (const part of inference) {
          parts.push(toValue(part))
          yield part
        }
        write(parts)
      },
    }
  }

  #write(line: Line): void {
    this.recorded++
    this.#writing = this.#writing.then(() => appendFile(this.#file, `${JSON.stringify(line)}\n`))
    // Whoever asks whether all is saved is told.
    this.#writing.catch(() => {})
  }

  saved(): Promise<void> {
    return this.#writing
  }
}

const keyOf = ({ task, model, input }: Pick<Line, 'task' | 'model' | 'input'>): string => `${task}\n${model}\n${input}`

function play({ task, model, result, parts }: Line): Inference {
  const other = (how: string): TroupeError => new TroupeError('Gone', `${task} of ${model} was recorded ${how}`, 'record it again, in the way in which it is called now')
  return {
    // oxlint-disable-next-line unicorn/no-thenable -- a call is awaited or iterated, as its caller likes
    then: (fulfilled, rejected) => (result === undefined ? Promise.reject(other('part by part')) : Promise.resolve(fromValue(result))).then(fulfilled, rejected),
    async *[Symbol.asyncIterator]() {
      if (parts === undefined) throw other('as a whole')
      for (const part of parts) yield await Promise.resolve(fromValue(part))
    },
  }
}

function toValue(value: unknown): Value {
  const bytes = pack(value)
  const text = JSON.stringify(value) as string | undefined
  if (text !== undefined && Buffer.from(pack(JSON.parse(text))).equals(bytes)) return { json: value }
  return { packed: Buffer.from(bytes).toString('base64') }
}

const fromValue = (value: Value): unknown => ('json' in value ? structuredClone(value.json) : unpack(Buffer.from(value.packed, 'base64')))
