/**
 * What a user wants, turn by turn, over one or several flows: values said, accepted, and carried from one flow to the
 * next. Owns no conversation: the state is plain data that goes in and comes out.
 */
import { controlsIn, type Control } from './control.js'
import { described, toldApart } from './described.js'
import { hear, type SlotWords, type Utterance } from './hear.js'

/** A flow as a schema describes it. */
export interface FlowSchema {
  readonly name: string
  readonly description: string
  /** What it can do, with the slots that each takes and those that it cannot do without. */
  readonly intents: readonly { readonly description: string; readonly slots: readonly string[]; readonly required: readonly string[] }[]
  /** `values` where only these are possible. */
  readonly slots: readonly { readonly name: string; readonly description: string; readonly values?: readonly string[] }[]
}
/** A schema made ready to listen with. */
export interface Trackable {
  readonly name: string
  readonly slots: readonly SlotWords[]
  /** Slots that some intent cannot do without: these follow an accepted offer. */
  readonly required: ReadonlySet<string>
  /** Slots that take a town rather than a street. */
  readonly towns: ReadonlySet<string>
  readonly words: ReadonlySet<string>
}
/** What was said to the user in the turn before, by flow and slot. */
export interface Act {
  readonly kind: 'asked' | 'offered' | 'confirmed' | 'told'
  readonly flow: string
  readonly slot: string
  /** For `asked`, a value put up for a yes. */
  readonly value?: string
}
export interface Tracked {
  /** Which flow the user spoke of last. */
  readonly flow: string | undefined
  readonly values: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly offers: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** The last place that was told or offered. */
  readonly place: string | undefined
}
export const UNTRACKED: Tracked = { flow: undefined, values: {}, offers: {}, place: undefined }

/** Words that speak of any flow, and so of none. */
const ANY_FLOW = new Set(
  'the and for can any are how you out who was all but one two not see use check area now its get from near given set take then when where will reserve give today go going time date day place thing sound good find search book with your that this user have make what want like please which them service favorite also some help show look need would could there about'.split(' ').map(stem),
)
const SWITCH_MARGIN = 0.3
const BOOKS = /\b(?:book|reserve|buy|purchase|schedule|appointment|reservation|(?:rent|play|watch) it)\b/iu
const ANOTHER = /\b(?:another|else|other|different)\b/iu
/** Where something starts is seldom where one has just been told of. */
const STARTS = /\b(?:from|origin|pickup|departure)\b/iu

function stem(word: string): string {
  return word.replace(/(?:ies|es|s|ing|ed|er|ly)$/u, '')
}
const wordsOf = (text: string): string[] => (text.replaceAll('_', ' ').replaceAll(/([a-z])([A-Z])/gu, '$1 $2').toLowerCase().match(/[a-z]+/gu) ?? []).filter((word) => word.length > 2)

export function trackable({ name, description, intents, slots }: FlowSchema): Trackable {
  const taken = new Set(intents.flatMap((intent) => [...intent.slots, ...intent.required]))
  const listening = slots
    .filter((slot) => taken.has(slot.name))
    .map((slot): SlotWords => {
      const about = described(slot.name, slot.description, slot.values)
      const isFree = ['text', 'title', 'person', 'category', 'place'].includes(about.kind)
      return { name: slot.name, ...about, free: isFree, ...(slot.values !== undefined && { values: slot.values.map((value) => ({ value, words: [value] })) }) }
    })
  const about = [description, ...intents.map((intent) => intent.description)].join(' ')
  return {
    name,
    slots: toldApart(listening, about),
    required: new Set(intents.flatMap(({ required }) => required)),
    towns: new Set(slots.filter((slot) => /\b(?:city|town|area)\b/iu.test(`${slot.name.replaceAll('_', ' ')} ${slot.description}`)).map((slot) => slot.name)),
    words: new Set(wordsOf([about, ...slots.map((slot) => slot.name)].join(' ')).map(stem)),
  }
}

/** The state after one more thing that the user said. */
export function track(flows: readonly Trackable[], before: Tracked, said: Utterance, acts: readonly Act[]): Tracked {
  const controls = controlsIn(said.text)
  const spoken = acts[0]?.flow ?? before.flow
  const flow = flowMeant(flows, spoken, said.text)
  if (flow === undefined) return before
  const heeded = heed(before, flows, acts)
  const values = structuredClone(heeded.values) as Record<string, Record<string, string>>
  const proposed = Object.fromEntries(acts.filter(({ kind, value }) => value !== undefined && (kind === 'asked' || kind === 'confirmed')).map(({ slot, value = '' }) => [slot, value]))
  const offers = spoken === undefined ? heeded.offers : accept(flows, spoken, { said: said.text, controls, acts, proposed, offers: heeded.offers, values })
  const mine = (values[flow.name] ??= {})
  const asked = acts.filter((act) => act.kind === 'asked' && act.flow === flow.name).map(({ slot }) => slot)
  for (const { slot, value } of hear(flow.slots, said, { filled: mine, asked, proposed }, controls)) mine[slot] = value
  if (flow.name !== spoken && controls.has('there')) carry(flow, flows.find(({ name }) => name === spoken), values, heeded.place)
  return { flow: flow.name, values, offers, place: heeded.place }
}

/** The flow spoken of goes on, unless the words clearly are another's. */
function flowMeant(flows: readonly Trackable[], spoken: string | undefined, text: string): Trackable | undefined {
  const known = flows.find(({ name }) => name === spoken)
  const scored = flows.map((flow) => ({ flow, score: overlap(flow, flows, text) + (flow === known ? SWITCH_MARGIN : 0) }))
  const best = scored.reduce<(typeof scored)[number] | undefined>((a, b) => (a === undefined || b.score > a.score ? b : a), undefined)
  const own = scored.find(({ flow }) => flow === known)
  return own !== undefined && best !== undefined && best.score <= own.score ? own.flow : best?.flow
}

function overlap(flow: Trackable, flows: readonly Trackable[], text: string): number {
  let score = 0
  for (const word of new Set(wordsOf(text).map(stem))) {
    if (flow.words.has(word) && !ANY_FLOW.has(word)) score += 1 / Math.sqrt(flows.filter(({ words }) => words.has(word)).length)
  }
  return score
}

/** What was offered stands until the next offer; the last place told of can be pointed back at. */
function heed(before: Tracked, flows: readonly Trackable[], acts: readonly Act[]): Tracked {
  const offered = acts.filter(({ kind }) => kind === 'offered')
  const offers = offered.length === 0 ? before.offers : { ...before.offers, [offered[0]?.flow ?? '']: Object.fromEntries(offered.map(({ slot, value = '' }) => [slot, value])) }
  const places = acts.filter(({ kind, slot, flow }) => (kind === 'offered' || kind === 'told') && /address|location/iu.test(slot) && flows.find(({ name }) => name === flow)?.towns.has(slot) === false)
  return { ...before, offers, place: places.at(-1)?.value ?? before.place }
}

interface Proposal {
  readonly said: string
  readonly controls: ReadonlySet<Control>
  readonly acts: readonly Act[]
  readonly proposed: Readonly<Record<string, string>>
  readonly offers: Tracked['offers']
  /** Filled here. */
  readonly values: Record<string, Record<string, string>>
}

/** Takes what was put up for a yes, or on offer, when the user agrees or goes on as if. */
function accept(flows: readonly Trackable[], spoken: string, { said, controls, acts, proposed, offers, values }: Proposal): Tracked['offers'] {
  const flow = flows.find(({ name }) => name === spoken)
  if (flow === undefined || controls.has('no')) return offers
  const mine = (values[spoken] ??= {})
  const isSummary = acts.some(({ kind }) => kind === 'confirmed')
  const takes = (slot: string): boolean => flow.slots.some(({ name }) => name === slot)
  if (controls.has('yes') || isSummary) for (const [slot, value] of Object.entries(proposed)) if (takes(slot)) mine[slot] = value
  const agrees = controls.has('yes') || (BOOKS.test(said) && !ANOTHER.test(said))
  if (!agrees || Object.keys(proposed).length > 0) return offers
  for (const [slot, value] of Object.entries(offers[spoken] ?? {})) if (flow.required.has(slot)) mine[slot] = value
  return { ...offers, [spoken]: {} }
}

/** "There" is the place that the flow before was about. */
function carry(flow: Trackable, from: Trackable | undefined, values: Record<string, Record<string, string>>, place: string | undefined): void {
  const mine = (values[flow.name] ??= {})
  const town = from?.slots.filter(({ name, kind }) => kind === 'place' && from.towns.has(name) && !STARTS.test(name.replaceAll('_', ' '))).flatMap(({ name }) => values[from.name]?.[name] ?? []).at(-1)
  for (const { name, kind } of flow.slots) {
    if (kind !== 'place' || !flow.required.has(name) || Object.hasOwn(mine, name) || STARTS.test(name.replaceAll('_', ' '))) continue
    const value = flow.towns.has(name) ? town : (place ?? town)
    if (value !== undefined) mine[name] = value
  }
}
