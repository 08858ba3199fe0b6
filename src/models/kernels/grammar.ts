/** Which token may come next, so that the text becomes what a JSON schema describes. The door to @mlc-ai/web-xgrammar. */
import { readFileSync } from 'node:fs'
import { Module, createRequire } from 'node:module'
import { TroupeError, describe } from '../../ground/errors.js'
import type { Model } from '../kernel.js'
import type { Bounded } from '../json-schema.js'
import { COMPILED_MAX } from '../limits.js'

interface Disposable {
  dispose(): void
}
interface Matcher extends Disposable {
  acceptToken(id: number): boolean
  getNextTokenBitmask(): Promise<Int32Array>
}
interface Compiler extends Disposable {
  compileGrammar(ebnf: string): Promise<Disposable>
}
interface XGrammar {
  Testings: { _jsonSchemaToEBNF(schema: string, anyWhitespace: boolean, indent: number): Promise<string> }
  TokenizerInfo: { createTokenizerInfo(vocabulary: readonly string[], kind: string, prependSpace: boolean, size: number, stops: readonly number[]): Promise<Disposable> }
  GrammarCompiler: { createGrammarCompiler(info: Disposable, cache: boolean): Promise<Compiler> }
  GrammarMatcher: { createGrammarMatcher(compiled: Disposable): Promise<Matcher> }
}


/** A compiled schema lies in WebAssembly memory, which nobody else gives back: it is disposed of when it is neither kept nor about to be used. */
interface Compiled {
  readonly grammar: Promise<Disposable>
  users: number
  kept: boolean
}

/** One text under constraint: tells the allowed tokens, and follows those that were chosen. */
export interface Constraint {
  /** Bans, in place, all tokens that may not come next. */
  ban(logits: Float32Array): void
  /** Goes on to the next place in the text. */
  accept(id: number): Promise<void>
  dispose(): void
}

export class Grammars {
  readonly #model: Model
  readonly #stops: readonly number[]
  readonly #size: number
  #compiler: Promise<Compiler> | undefined
  readonly #compiled = new Map<string, Compiled>()

  /** `size` is the number of logits; `stops` are the tokens that end a text. */
  constructor(model: Model, { size, stops }: { size: number; stops: readonly number[] }) {
    this.#model = model
    this.#size = size
    this.#stops = stops
  }

  async constrain(schema: Bounded): Promise<Constraint> {
    const compiled = this.#compile(schema)
    compiled.users++
    const matcher = await compiled.grammar.then((grammar) => load().GrammarMatcher.createGrammarMatcher(grammar)).finally(() => {
      compiled.users--
      release(compiled)
    })
    let mask = await matcher.getNextTokenBitmask()
    return {
      ban: (logits) => {
        for (let id = 0; id < logits.length; id++) if ((((mask[id >> 5] as number) >>> (id & 31)) & 1) === 0) logits[id] = -Infinity
      },
      accept: async (id) => {
        if (matcher.acceptToken(id) && !this.#stops.includes(id)) mask = await matcher.getNextTokenBitmask()
      },
      dispose: () => matcher.dispose(),
    }
  }

  #compile(schema: Bounded): Compiled {
    const key = JSON.stringify(schema)
    const compiled = this.#compiled.get(key) ?? { grammar: this.#fresh(schema), users: 0, kept: true }
    this.#compiled.delete(key)
    this.#compiled.set(key, compiled)
    compiled.grammar.catch(() => this.#compiled.delete(key))
    const [oldest] = this.#compiled
    if (this.#compiled.size > COMPILED_MAX && oldest !== undefined) {
      this.#compiled.delete(oldest[0])
      oldest[1].kept = false
      release(oldest[1])
    }
    return compiled
  }

  async #fresh({ schema, numbers }: Bounded): Promise<Disposable> {
    this.#compiler ??= this.#makeCompiler()
    const compiler = await this.#compiler
    try {
      let grammar = await load().Testings._jsonSchemaToEBNF(JSON.stringify(schema), false, -1)
      for (const [at, { stand, rule }] of numbers.entries()) grammar = `${grammar.replaceAll(`"\\"${stand}\\""`, `range_${at}`)}\nrange_${at} ::= ${rule}\n`
      return await compiler.compileGrammar(grammar)
    } catch (thrown) {
      // A schema that the library cannot take ends its WebAssembly instance, and all that it compiled with it.
      loaded = undefined
      this.#compiler = undefined
      this.#compiled.clear()
      throw new TroupeError('InvalidMessage', `the schema cannot constrain the text: ${describe(thrown)}`, 'check that it is a JSON schema, and that its references are within it', { reason: 'schema' }, thrown)
    }
  }

  async #makeCompiler(): Promise<Compiler> {
    const { TokenizerInfo, GrammarCompiler } = load()
    const { tokens, kind } = this.#model.tokenizer.vocabulary()
    const info = await TokenizerInfo.createTokenizerInfo(tokens, kind, false, this.#size, this.#stops)
    return await GrammarCompiler.createGrammarCompiler(info, false)
  }
}

/** A matcher holds its own share of what it was made of, so only the making of one has to be over. */
function release({ grammar, users, kept }: Compiled): void {
  if (!kept && users === 0) void grammar.then((each) => each.dispose(), () => undefined)
}

let loaded: XGrammar | undefined

/** Its file is CommonJS although its package says otherwise, so it is compiled as what it is. */
function load(): XGrammar {
  if (loaded !== undefined) return loaded
  try {
    const path = createRequire(import.meta.url).resolve('@mlc-ai/web-xgrammar')
    const asCommonJs = path.replace(/\.js$/, '.cjs')
    const file = new Module(asCommonJs) as Module & { _compile(source: string, path: string): void }
    file._compile(readFileSync(path, 'utf8'), asCommonJs)
    loaded = file.exports as XGrammar
    return loaded
  } catch (cause) {
    throw new TroupeError('MissingDependency', `text under a schema needs @mlc-ai/web-xgrammar, which could not be loaded: ${describe(cause)}`, 'npm install @mlc-ai/web-xgrammar', { dependency: '@mlc-ai/web-xgrammar' }, cause)
  }
}
