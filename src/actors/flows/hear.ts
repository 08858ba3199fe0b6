/**
 * Finds in one utterance what it says of each slot: by exact forms, by the tagger's entities, by listed values that are
 * written alike, by what was asked and by what was proposed. Knows no domain: a slot is its kind, its values and its words.
 */
import { controlsIn, type Control } from './control.js'
import { formsIn, numberIn, type Kind, type Span } from './forms.js'
import { likeness } from './likeness.js'

export interface SlotWords {
  readonly name: string
  readonly kind: Kind
  /** The only values it takes, each with how people say it. */
  readonly values?: readonly Listed[]
  readonly cues: readonly string[]
  readonly nouns: readonly string[]
  /** Takes any words as its answer when it was asked for. */
  readonly free: boolean
  /** A regular expression that finds its value. */
  readonly pattern?: string
  /** A type of entity that fills it, whatever its kind. */
  readonly entity?: string
}
export interface Listed {
  readonly value: string
  readonly words: readonly string[]
}
export interface Heard {
  readonly slot: string
  readonly value: string
  readonly start: number
  readonly end: number
  /** From 0; what points at a slot more clearly scores higher. */
  readonly score: number
  /** Other slots that it may as well be for. */
  readonly rivals: readonly string[]
  /** Other listed values that it may as well be. */
  readonly others: readonly string[]
  /** Taken as it stands, because it was asked for: nothing else speaks for it. */
  readonly isFree?: boolean
  /** What it comes to, where the understanding says so: the day of "tomorrow", the name behind a nickname. */
  readonly resolved?: string
}
export interface Utterance {
  readonly text: string
  readonly entities: readonly Entity[]
}
interface Entity {
  readonly type: string
  readonly value: string
  readonly start: number
  readonly end: number
  readonly score: number
  /** The day or instant of a date or time. */
  readonly at?: string | undefined
  readonly canonical?: string | undefined
}
interface Found extends Span {
  readonly type: string
  readonly resolved?: string
}
/** What went before. */
export interface Before {
  readonly filled: Readonly<Record<string, string>>
  readonly asked: readonly string[]
  /** What was offered or put up for confirmation. */
  readonly proposed: Readonly<Record<string, string>>
}
/** What stands for having no preference. */
export const ANYTHING = 'dontcare'

interface Candidate extends Heard {
  readonly own: number
}

/** How well an entity of the tagger suits a slot's kind. */
const SUITS: Readonly<Partial<Record<Kind, Readonly<Record<string, number>>>>> = {
  place: { place: 1, address: 0.9, organization: 0.4 },
  person: { person: 1, organization: 0.6, title: 0.4 },
  title: { title: 1, organization: 0.7, place: 0.5, person: 0.4 },
  category: { category: 1, title: 0.2 },
  text: { title: 0.5, organization: 0.5, person: 0.4, category: 0.5, place: 0.4 },
  date: { date: 1 },
  time: { time: 1 },
  money: { money: 1 },
  number: { number: 0.3 },
  email: { email: 1 },
  phone: { phone: 1 },
  url: { url: 1 },
}
const ASKED = 1.5
const CUED = 1.2
const NAMED = 0.8
const UNFILLED = 0.3
const HEARD_MIN = 1
/** Below this likeness two texts are two values. */
const ALIKE_MIN = 0.85

export function hear(slots: readonly SlotWords[], said: Utterance, before: Before, controls: ReadonlySet<Control> = controlsIn(said.text)): Heard[] {
  const spans = spansIn(said)
  const candidates = slots.flatMap((slot) => [...listedIn(slot, said.text, before), ...patternIn(slot, said.text, before), ...spansFor(slot, spans, said.text, before), ...flagsIn(slot, said.text, before, controls)])
  const heard = settle(candidates)
  const got = new Set(heard.map(({ slot }) => slot))
  for (const slot of slots.filter(({ name }) => before.asked.includes(name) && !got.has(name))) {
    const answer = controls.has('anything') ? whole(slot, ANYTHING, said.text) : heard.length === 0 && slot.free && !Object.hasOwn(before.proposed, slot.name) ? freeAnswer(slot, said.text) : undefined
    if (answer !== undefined) heard.push(answer)
  }
  return heard
}

/** Exact forms first, then what the tagger adds; where both see the same words, the longer wins. */
function spansIn({ text, entities }: Utterance): Found[] {
  const tagged = entities.map(({ type, value, start, end, at, canonical }): Found => {
    // The tagger's "on Friday" is a Friday.
    const lead = type === 'date' || type === 'time' ? (/^(?:on|at|for|by|until|till|from)\s+/iu.exec(value)?.[0].length ?? 0) : 0
    return { kind: 'text', type, text: value.slice(lead), start: start + lead, end, ...resolvedBy(canonical ?? at) }
  })
  const forms = formsIn(text).map((span): Found => ({ ...span, type: span.kind }))
  const kept = forms.filter((form) => !tagged.some((tag) => tag.start < form.end && form.start < tag.end && (tag.type === form.type ? tag.end - tag.start >= form.end - form.start : form.type === 'number' && tag.type !== 'number')))
  return [...kept, ...tagged.filter((tag) => !kept.some((form) => form.type !== 'number' && tag.start < form.end && form.start < tag.end))].toSorted((a, b) => a.start - b.start)
}

const resolvedBy = (resolved: string | undefined): { readonly resolved?: string } => (resolved === undefined ? {} : { resolved })

const whole = ({ name }: SlotWords, value: string, text: string): Heard => ({ slot: name, value, start: 0, end: text.length, score: ASKED, rivals: [], others: [] })

/** What the words around a place in the text, and the conversation before, say for a slot. */
function pull(slot: SlotWords, text: string, start: number, end: number, { asked, filled }: Before): number {
  const clause = text.slice(0, start).toLowerCase().replaceAll('’', "'")
  const near = (clause.match(/[\p{L}']+/gu) ?? []).slice(-4)
  const after = (text.slice(end).toLowerCase().match(/^[^.,;?!，。]*/u)?.[0].match(/[\p{L}']+/gu) ?? []).slice(0, 3)
  const cuedAt = slot.cues.reduce((best, cue) => Math.max(best, cueAt(near, cue)), -1)
  const isNamed = slot.nouns.some((noun) => near.includes(noun) || after.includes(noun) || (/\p{Script=Han}/u.test(noun) && `${clause.slice(-6)}${text.slice(end, end + 4)}`.includes(noun)))
  const hanCue = slot.cues.some((cue) => /\p{Script=Han}/u.test(cue) && clause.slice(-3).includes(cue))
  return (asked.includes(slot.name) ? ASKED : 0) + (hanCue ? CUED : cuedAt >= 0 ? CUED * (0.55 + 0.15 * cuedAt) : 0) + (isNamed ? NAMED : 0) + (Object.hasOwn(filled, slot.name) ? 0 : UNFILLED)
}

/** How late the cue stands in the words before: the nearer, the stronger. */
function cueAt(near: readonly string[], cue: string): number {
  const parts = cue.split(' ')
  for (let at = near.length - parts.length; at >= 0; at--) if (parts.every((part, i) => near[at + i] === part)) return at + parts.length - 1 + (4 - near.length)
  return -1
}

function spansFor(slot: SlotWords, spans: readonly Found[], text: string, before: Before): Candidate[] {
  const suits = SUITS[slot.kind] ?? {}
  return spans.flatMap((span) => {
    if (slot.values !== undefined && slot.kind !== 'number') return []
    const isNumeric = slot.kind === 'number' && span.type === 'number'
    const own = isNumeric ? 0.3 : span.type === slot.entity ? 1 : (suits[span.type] ?? (span.kind === slot.kind ? 1 : 0))
    if (own === 0) return []
    const value = isNumeric && slot.values !== undefined ? String(numberIn(span.text) ?? span.text) : span.text
    if (slot.values !== undefined && !slot.values.some((listed) => listed.value === value)) return []
    // A number that only this list has, such as a year, needs no word beside it.
    const counts = isNumeric ? Math.max(counting(slot, text, span), slot.values !== undefined && value.length > 2 ? 1 : 0) : 0
    // "another one" counts nothing.
    if (isNumeric && counts === 0 && /^one$/iu.test(span.text) && !(before.asked.includes(slot.name) && text.trim().split(/\s+/u).length <= 4)) return []
    return [{ slot: slot.name, value, start: span.start, end: span.end, own, score: own + counts + pull(slot, text, span.start, span.end, before), rivals: [], others: [], ...resolvedBy(span.resolved) }]
  })
}

/** "four tickets", "for two": a number counts what stands right after it. */
function counting(slot: SlotWords, text: string, { end, start }: Span): number {
  const after = (text.slice(end).toLowerCase().match(/^[\s-]*[\p{L}]+(?:[\s-]+[\p{L}]+)?/u)?.[0] ?? '').match(/\p{L}+/gu) ?? []
  if (/^(?:way|stop)/u.test(after[0] ?? '') && !slot.nouns.includes(after[0] ?? '')) return 0
  if (after.some((word) => slot.nouns.some((noun) => stemOf(noun) === stemOf(word) || (noun.length > 2 && word.startsWith(stemOf(noun)))))) return 1.2
  return /\bfor(?: just| only)?\s*$/iu.test(text.slice(0, start)) && slot.nouns.includes('people') && !/^\s*(?!(?:and|in|on|at|to|by|near|under|please|from|with|this|next|today|tonight|tomorrow|around)\b)\p{L}/iu.test(text.slice(end)) ? 1 : 0
}

function patternIn(slot: SlotWords, text: string, before: Before): Candidate[] {
  if (slot.pattern === undefined) return []
  return [...text.matchAll(new RegExp(slot.pattern, 'giu'))].map((match) => ({ slot: slot.name, value: match[0], start: match.index, end: match.index + match[0].length, own: 1, score: 1.5 + pull(slot, text, match.index, match.index + match[0].length, before), rivals: [], others: [] }))
}

const stemOf = (word: string): string => (word.length > 3 ? word.toLowerCase().replace(/(?:ies|es|s|ing|ed|er|ly)$/u, '') : word.toLowerCase())
const unitsIn = (text: string): { readonly text: string; readonly start: number; readonly end: number }[] => Array.from(text.matchAll(/\p{Script=Han}|[\p{L}\p{N}][\p{L}\p{N}'’-]*/gu), (match) => ({ text: match[0], start: match.index, end: match.index + match[0].length }))

/** Listed values in the text: runs of as many words that are written alike. */
function listedIn(slot: SlotWords, text: string, before: Before): Candidate[] {
  if (slot.values === undefined || slot.kind === 'yes-no' || slot.kind === 'number') return []
  const units = unitsIn(text)
  const found = slot.values.flatMap((listed) => listed.words.flatMap((words) => alike(units, words, text).map((run) => ({ ...run, value: listed.value }))))
  const best = found.toSorted((a, b) => b.likeness * (b.end - b.start) - a.likeness * (a.end - a.start))
  return best
    .filter((run, at) => !best.slice(0, at).some((other) => run.start < other.end && other.start < run.end && run.value !== other.value))
    .map(({ value, start, end, likeness }): Candidate => ({ slot: slot.name, value, start, end, own: likeness, score: likeness + pull(slot, text, start, end, before), rivals: [], others: [] }))
    .concat(before.asked.includes(slot.name) && best.length === 0 ? part(slot, units) : [])
}

/** When asked, a word that only some values have points at those. */
function part(slot: SlotWords, units: readonly { readonly text: string; readonly start: number; readonly end: number }[]): Candidate[] {
  for (const unit of units.toSorted((a, b) => b.text.length - a.text.length)) {
    if (unit.text.length < 4 && !/\p{Script=Han}/u.test(unit.text)) continue
    const matching = (slot.values ?? []).filter(({ words }) => words.some((word) => unitsIn(word).some((each) => stemOf(each.text) === stemOf(unit.text))))
    const [first, ...others] = matching
    if (first !== undefined && matching.length < (slot.values ?? []).length) {
      return [{ slot: slot.name, value: first.value, start: unit.start, end: unit.end, own: 0.7, score: 0.7 + ASKED, rivals: [], others: others.map(({ value }) => value) }]
    }
  }
  return []
}

function alike(units: readonly { readonly text: string; readonly start: number; readonly end: number }[], words: string, text: string): { start: number; end: number; likeness: number }[] {
  const size = unitsIn(words).length
  if (size === 0) return []
  const runs: { start: number; end: number; likeness: number }[] = []
  for (let at = 0; at + size <= units.length; at++) {
    const start = units[at]?.start ?? 0
    const end = units[at + size - 1]?.end ?? 0
    const said = text.slice(start, end)
    const like = said.toLowerCase() === words.toLowerCase() || stemOf(said) === stemOf(words) ? 1 : said.length >= 5 && words.length >= 5 ? likeness(said, words) : 0
    if (like >= ALIKE_MIN) runs.push({ start, end, likeness: like })
  }
  return runs
}

const NEGATED = /\b(?:no|not|don't|dont|do not|doesn't|does not|without|never|non|isn't|aren't)\b[^.,;?!]{0,40}$|(?:不|没|无)[^，。]{0,4}$/iu

/** Whether the sentence around a place asks how it is, rather than for one that is so. */
function isQuestion(text: string, at: number): boolean {
  const from = Math.max(...['.', '?', '!', ','].map((mark) => text.lastIndexOf(mark, at))) + 1
  const sentence = /^[^.?!]*[.?!]?/u.exec(text.slice(from))?.[0] ?? ''
  return /\b(?:whether|(?:is|are|do|does|did|has|can|could|will|would) (?:it|its|they|the|there|that|this|these|he|she|i|we|their|his|her|any)|if (?:it|they|the|there|this|that|he|she))\b/iu.test(sentence) && !/\b(?:find|search|look(?:ing)?|want|need|prefer)\b/iu.test(sentence)
}

/** A yes or no: what was answered to its question, or its matter named in passing. */
function flagsIn(slot: SlotWords, text: string, before: Before, controls: ReadonlySet<Control>): Candidate[] {
  if (slot.kind !== 'yes-no') return []
  const value = (yes: boolean): string => slot.values?.find((listed) => /^(?:true|yes)$/iu.test(listed.value) === yes)?.value ?? (yes ? 'true' : 'false')
  const units = unitsIn(text)
  const named = units.find((unit) => unit.text.length > 3 && slot.nouns.some((noun) => noun.length > 3 && stemOf(noun) === stemOf(unit.text)))
  const isAsked = before.asked.includes(slot.name)
  const flag = (yes: boolean, score: number): Candidate[] => [{ slot: slot.name, value: value(yes), start: named?.start ?? 0, end: named?.end ?? 0, own: 1, score, rivals: [], others: [] }]
  if (controls.has('anything') && (isAsked || named !== undefined)) return []
  if (isAsked && controls.has('no')) return flag(false, 2)
  if (isAsked && controls.has('yes')) return flag(true, 2)
  if (named === undefined) return []
  if (isQuestion(text, named.start)) return []
  return flag(!NEGATED.test(text.slice(0, named.start)), 1.2)
}

/** One value per slot, one slot per place: the clearest first. */
function settle(candidates: readonly Candidate[]): Heard[] {
  const heard: Heard[] = []
  for (const { own: _own, ...candidate } of candidates.toSorted((a, b) => b.score - a.score)) {
    if (candidate.score < HEARD_MIN) continue
    if (heard.some((taken) => taken.slot === candidate.slot || (candidate.end > candidate.start && taken.start < candidate.end && candidate.start < taken.end))) continue
    const rivals = candidates.filter((other) => other.slot !== candidate.slot && other.start === candidate.start && other.end === candidate.end && Math.abs(other.score - candidate.score) < 0.05 && !heard.some(({ slot }) => slot === other.slot))
    heard.push({ ...candidate, rivals: rivals.map(({ slot }) => slot) })
  }
  return heard
}

const LEAD =
  /^(?:(?:yes|yeah|yep|ok(?:ay)?|sure|well|um+|uh+|hmm|please|hi|hello|no|actually|oh|and|so|maybe|perhaps|alright|right|great|thanks|thank you)[,.!]*\s+)+|^(?:i|we)(?:'d|'ll|'m| am| would| will)?\s+(?:really\s+)?(?:like|want|prefer|need|love|enjoy|wish|think|looking|interested|searching|go|going|be)(?:\s+(?:to|for|in|it|you|with|something|some|listen|watch|see|hear|find|book|have|get|eat|visit|go|be|is|find me))*\s+|^(?:it|that|this|the \w+|my \w+)(?:'s| is| should be| will be| would be)\s+|^(?:how|what) about\s+|^(?:let's|lets)\s+(?:go with|do|say|try|make it)\s+|^(?:find|show|get|give|book|play|search|look|make|try|check)(?:\s+(?:me|it|for|in))*\s+|^(?:in|at|for|to|on|by|from|with|near|around|something|some|a|an|the|any|called|named|titled|preferably|look|search)\s+|^(?:我(?:想|要|想要|叫|喜欢)?|请|是|在|去|到)/iu
const TAIL = /(?:[\s,.!?。，！]+|\s+(?:please|thanks|thank you|would be (?:good|great|fine|nice|perfect|lovely|best)|sounds (?:good|great)|is (?:good|fine|great)|will do|one|ones|for me|i think|i guess))$|吧$|谢谢$/iu

/** The answer itself, without the words that lead up to it. */
function freeAnswer(slot: SlotWords, text: string): Heard | undefined {
  let [start, end] = [text.length - text.trimStart().length, text.length]
  for (let cut: RegExpExecArray | null; (cut = TAIL.exec(text.slice(start, end))) !== null && cut[0] !== ''; ) end -= cut[0].length
  for (let cut: RegExpExecArray | null; (cut = LEAD.exec(text.slice(start, end))) !== null && cut[0] !== ''; ) start += cut[0].length
  const value = text.slice(start, end)
  return value.trim() === '' || text.trim().endsWith('?') ? undefined : { slot: slot.name, value, start, end, score: ASKED, rivals: [], others: [], isFree: true }
}
