/** Where a conversation stands: plain data, so that it can be kept; and the steps that every turn is made of. */
import { ANYTHING, hear, type Heard, type SlotWords, type Utterance } from './hear.js'
import { numberIn } from './forms.js'
import type { Flow, Value } from './flow.js'
import { worded, type Texts } from './texts.js'

/** What the user may do next, or what is being done. */
export type Phase = 'idle' | 'collecting' | 'confirming' | 'choosing' | 'acting' | 'handed-over' | 'closed'

export interface Filled {
  readonly value: Value
  /** As it was said, or as it is listed. */
  readonly text: string
}
/** A flow that was begun. */
export interface Open {
  readonly flow: string
  readonly filled: Readonly<Record<string, Filled>>
  /** Slots that the user has no preference for. */
  readonly skipped: readonly string[]
}
/** A question with a few answers. */
export type Choice =
  | { readonly kind: 'flow'; readonly options: readonly string[]; readonly text: string }
  | { readonly kind: 'value'; readonly options: readonly string[]; readonly slot: string }
  | { readonly kind: 'slot'; readonly options: readonly string[]; readonly heard: Heard }

export interface Talk {
  readonly phase: Phase
  readonly language: string
  /** The last is at hand; those before it wait for their turn. */
  readonly open: readonly Open[]
  readonly asked: string | undefined
  readonly choice: Choice | undefined
  /** The slots filled last: what "no, I meant" is about. */
  readonly latest: readonly string[]
  /** The last question or statement, to be repeated. */
  readonly said: string
  /** Turns in a row that were not understood. */
  readonly misses: number
}
export const NOTHING_SAID: Talk = { phase: 'idle', language: 'en', open: [], asked: undefined, choice: undefined, latest: [], said: '', misses: 0 }

/** What a turn comes to: where the talk stands then, and what is said. */
export interface Next {
  readonly talk: Talk
  readonly says: readonly string[]
  /** Whom the words are for, before what is said here: those who answer from sources, or the chart that leads the flow. */
  readonly passedTo?: 'sources' | 'chart'
  /** The flow that the user left, which a chart of its own led. */
  readonly left?: string
}
/** What is declared, as every step needs it. */
export interface Declared {
  readonly flows: ReadonlyMap<string, Flow>
  /** The slots of each flow, made ready to listen with. */
  readonly slots: ReadonlyMap<string, readonly SlotWords[]>
  readonly texts: Texts
}

/** Slots remember no more than this of what was said, and a conversation no more begun flows. */
const TEXT_MAX = 1_000
export const OPEN_MAX = 5

export const atHand = ({ flows }: Declared, talk: Talk): { readonly flow: Flow; readonly open: Open } | undefined => {
  const open = talk.open.at(-1)
  const flow = open === undefined ? undefined : flows.get(open.flow)
  return open === undefined || flow === undefined ? undefined : { flow, open }
}
export const tell = ({ texts }: Declared, talk: Talk, name: keyof Texts, values?: Readonly<Record<string, unknown>>): string => worded(texts[name], talk.language, values)
export const labelOf = (flow: Flow, slot: string, language: string): string => worded(flow.slots[slot]?.label ?? slot.replaceAll('_', ' '), language)
export const textsOf = (open: Open): Record<string, string> => Object.fromEntries(Object.entries(open.filled).map(([name, { text }]) => [name, text]))
/** Options as they are said: commas, then "or". */
export function oneOf({ texts }: Declared, { language }: Talk, options: readonly string[]): string {
  const or = typeof texts.or === 'string' ? texts.or : (texts.or[language] ?? texts.or.en)
  return options.length < 2 ? options.join('') : `${options.slice(0, -1).join(language === 'zh' ? '、' : ', ')}${or}${options.at(-1) ?? ''}`
}

/** The next question of the flow at hand, its confirmation, or its action. */
export function proceed(declared: Declared, talk: Talk): Next {
  const hand = atHand(declared, talk)
  if (hand === undefined) return { talk: { ...talk, phase: 'idle', asked: undefined, choice: undefined }, says: [] }
  const { flow, open } = hand
  if (flow.chart !== undefined) return { talk: { ...talk, phase: 'collecting', asked: undefined, choice: undefined }, says: [] }
  const missing = Object.entries(flow.slots).find(([name, { ask }]) => ask !== undefined && !Object.hasOwn(open.filled, name) && !open.skipped.includes(name))
  const next = { ...talk, choice: undefined }
  if (missing !== undefined) return { talk: { ...next, phase: 'collecting', asked: missing[0] }, says: [worded(missing[1].ask ?? '', talk.language, textsOf(open))] }
  if (flow.confirm !== undefined) return { talk: { ...next, phase: 'confirming', asked: undefined }, says: [worded(flow.confirm, talk.language, textsOf(open))] }
  return { talk: { ...next, phase: 'acting', asked: undefined }, says: [] }
}

/** Adds what is said before what comes next. */
export const after = (says: readonly string[], next: Next): Next => ({ ...next, says: [...says, ...next.says] })

/** What the words say of the flow at hand. */
export function heardIn(declared: Declared, talk: Talk, said: Utterance, asked: readonly string[]): readonly Heard[] {
  const hand = atHand(declared, talk)
  return hand === undefined ? [] : hear(declared.slots.get(hand.flow.name) ?? [], said, { filled: textsOf(hand.open), asked, proposed: {} })
}

/** Takes values up, each checked; says what was changed and what cannot be. The first that is unclear becomes a choice. */
export function take(declared: Declared, talk: Talk, heard: readonly Heard[]): Next {
  let now = talk
  const says: string[] = []
  const latest: string[] = []
  let choice: Choice | undefined
  for (const each of heard) {
    const hand = atHand(declared, now)
    if (hand === undefined) break
    const { flow, open } = hand
    if (each.value === ANYTHING) {
      if (flow.slots[each.slot]?.optional === true) now = replaced(now, { ...open, skipped: [...open.skipped, each.slot] })
      continue
    }
    if (each.others.length > 0) {
      choice ??= { kind: 'value', slot: each.slot, options: [each.value, ...each.others].slice(0, OPEN_MAX) }
      continue
    }
    const rivals = each.rivals.filter((name) => !Object.hasOwn(open.filled, name))
    if (rivals.length > 0 && !Object.hasOwn(open.filled, each.slot)) {
      choice ??= { kind: 'slot', heard: { ...each, rivals: [] }, options: [each.slot, ...rivals] }
      continue
    }
    const fitted = fit(declared, flow, each)
    if (typeof fitted === 'string') {
      says.push(worded(flow.slots[each.slot]?.invalid ?? declared.texts.invalid, talk.language, { value: each.value, problem: fitted, slot: labelOf(flow, each.slot, talk.language) }))
      continue
    }
    const before = open.filled[each.slot]
    if (before !== undefined && before.value !== fitted.value) says.push(tell(declared, talk, 'corrected', { slot: labelOf(flow, each.slot, talk.language), value: fitted.text }))
    now = replaced(now, { ...open, filled: { ...open.filled, [each.slot]: fitted } })
    latest.push(each.slot)
  }
  return { talk: { ...now, choice, latest: latest.length > 0 ? latest : now.latest, misses: 0 }, says }
}

const replaced = (talk: Talk, open: Open): Talk => ({ ...talk, open: [...talk.open.slice(0, -1), open] })

/** The value of a slot, or why it is none. */
function fit({ slots }: Declared, flow: Flow, { slot: name, value: text, resolved }: Heard): Filled | string {
  const slot = flow.slots[name]
  const kind = slots.get(flow.name)?.find((each) => each.name === name)?.kind
  const value: Value = kind === 'number' ? (numberIn(text) ?? text) : kind === 'yes-no' ? /^(?:true|yes)$/iu.test(text) : (resolved ?? text).slice(0, TEXT_MAX)
  const checked = slot?.schema?.['~standard'].validate(value)
  if (checked instanceof Promise) return 'its schema answers with a promise'
  return checked?.issues === undefined ? { value, text: text.slice(0, TEXT_MAX) } : (checked.issues[0]?.message ?? 'it is not what is asked for')
}

/** The flow at hand is over: what was said of it, then back to the one that waits. */
export function leave(declared: Declared, talk: Talk, says: readonly string[]): Next {
  const rest: Talk = { ...talk, open: talk.open.slice(0, -1), asked: undefined, choice: undefined, latest: [], misses: 0 }
  const hand = atHand(declared, rest)
  if (hand === undefined) return { talk: { ...rest, phase: 'idle' }, says }
  return after([...says, tell(declared, rest, 'back', { title: worded(hand.flow.title, rest.language) })], proceed(declared, rest))
}
