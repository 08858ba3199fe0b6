/** A flow as it is declared: what to ask, what to check, what to do and what to say. */
import { TroupeError, type Ref, type RequestKey, type Schema, type Specs, type Whom, type Work } from '../../runtime/index.js'
import { described } from './described.js'
import type { Kind } from './forms.js'
import type { SlotWords } from './hear.js'
import type { Flows } from './protocol.js'
import type { Said } from './texts.js'

/** What a slot holds: plain data. */
export type Value = string | number | boolean

export interface Slot<T extends Value = Value> {
  /** What it takes. Told from its values, name and description unless given. */
  readonly kind?: Kind
  readonly description?: string
  /** The only values it takes; as a record, each with other ways to say it. */
  readonly values?: readonly string[] | Readonly<Record<string, readonly string[]>>
  /** A regular expression that finds its value in a sentence. */
  readonly pattern?: string
  /** A type of entity that `nlu` finds, its declared ones included. */
  readonly entity?: string
  /** What it is called, when it is spoken of. Default: its name. */
  readonly label?: Said
  /** Words that stand before its value, such as `from`. */
  readonly cues?: readonly string[]
  /** The question. A slot without one is never asked for, only taken when it is told. */
  readonly ask?: Said
  /** Checks a value, which is a number for `number`, true or false for `yes-no`, and a text for others. */
  readonly schema?: Schema<T>
  /** Said instead of the schema's own reason. */
  readonly invalid?: Said
  /** "Any" is an answer: the slot stays empty. */
  readonly optional?: boolean
}
export type Slots = Readonly<Record<string, Slot>>

type ValueOf<S extends Slot> = S extends { readonly schema: Schema<infer T> } ? T : S extends { readonly kind: 'number' } ? number : S extends { readonly kind: 'yes-no' } ? boolean : string
type MayMiss<S extends Slot> = S extends { readonly optional: true } ? true : S extends { readonly ask: Said } ? false : true
/** The values that an action gets. */
export type ValuesOf<S extends Slots> = { readonly [K in keyof S as MayMiss<S[K]> extends true ? never : K]: ValueOf<S[K]> } & { readonly [K in keyof S as MayMiss<S[K]> extends true ? K : never]?: ValueOf<S[K]> }

/** What an action gives: its fields can be said, as `{field}`; a text or number as `{result}`. */
export type Result = Value | Readonly<Record<string, unknown>> | null | undefined
/** A request to another actor: the values become its body. */
export interface Command {
  readonly to: Whom
  readonly type: string
}

export interface Flow {
  readonly name: string
  /** What it does, as it is said after "would you like to". */
  readonly title: Said
  /** Intents of `nlu` that start it. Default: its name. */
  readonly intents?: readonly string[]
  readonly slots: Slots
  /** The question before the action; without it the action runs as soon as the slots are filled. */
  readonly confirm?: Said
  /** A function, which may ask other actors through `work`, or a command to one. */
  readonly run: Command | ((values: never, work: Work) => Result | Promise<Result>)
  readonly done: Said
  readonly failed?: Said
  /** A conversation of your own that leads this one, until it says that it is idle or closed. */
  readonly chart?: (conversation: string) => Ref<(typeof Flows)['specs']>
}
interface Declared<S extends Slots> extends Omit<Flow, 'slots' | 'run' | 'chart'> {
  readonly slots: S
  readonly run: Command | ((values: ValuesOf<S>, work: Work) => Result | Promise<Result>)
}

/** Declares a flow; the action's values are typed by its slots. */
export const flow = <const S extends Slots>(declared: Declared<S>): Flow => declared

/** A flow led by a statechart of your own: any actor with the `Flows` protocol, beside the declared ones. */
export const charted = (declared: Pick<Flow, 'name' | 'title' | 'intents'> & Required<Pick<Flow, 'chart'>>): Flow => ({ ...declared, slots: {}, run: () => undefined, done: '' })

/** An action that sends the values as a request to another actor. */
export const command = <S extends Specs>(to: Whom<S>, type: RequestKey<S>): Command => ({ to, type })

/** Kinds whose answer may be any words. */
const FREE: readonly Kind[] = ['text', 'title', 'person', 'category', 'place']

/** The slots of a flow, made ready to listen with. */
export function listening({ slots }: Flow): SlotWords[] {
  return Object.entries(slots).map(([name, slot]) => {
    const listed = slot.values === undefined ? undefined : Array.isArray(slot.values) ? (slot.values as readonly string[]).map((value) => ({ value, words: [value] })) : Object.entries(slot.values as Readonly<Record<string, readonly string[]>>).map(([value, words]) => ({ value, words: [value, ...words] }))
    if (slot.pattern !== undefined) checkPattern(name, slot.pattern)
    const labels = slot.label === undefined ? [name.replaceAll('_', ' ')] : typeof slot.label === 'string' ? [slot.label] : Object.values(slot.label)
    const { kind, cues, nouns } = described(name, [slot.description ?? '', ...labels].join(' '), listed?.map(({ value }) => value), slot.kind)
    return { name, kind, cues: [...(slot.cues ?? []), ...cues], nouns: [...new Set([...nouns, ...labels.map((label) => label.toLowerCase())])], free: listed === undefined && slot.pattern === undefined && FREE.includes(kind), ...(listed && { values: listed }), ...(slot.pattern !== undefined && { pattern: slot.pattern }), ...(slot.entity !== undefined && { entity: slot.entity }) }
  })
}

function checkPattern(slot: string, pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'giu')
  } catch (cause) {
    throw new TroupeError('InvalidDefinition', `the pattern of slot ${slot} is no regular expression: ${pattern}`, 'write it as new RegExp(pattern, "giu") takes it', {}, cause)
  }
}
