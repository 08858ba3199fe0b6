/** What `guard` does outside its chart: learns what attacks and topics are like, and looks at texts. */
import type { Understood } from '../../models/index.js'
import { stepOnce, TroupeError, type ReturnAddress, type Work } from '../../runtime/index.js'
import { inSlices } from '../in-slices.js'
import { declaredFinder } from '../nlu/declared.js'
import { entitiesOf } from '../nlu/entities.js'
import type { Part } from '../parts.js'
import { answering, type Effect, type Settled } from '../settled.js'
import { sentenceSpans } from '../words.js'
import { ATTACKS, ORDINARY } from './attacks.js'
import type { Direction, Finding } from './finding.js'
import { INJECTION_MIN, injectionScore, type Known } from './injection.js'
import type { Looked } from './judge.js'
import { identifiersOf } from './personal.js'
import { ALL, formFinder, hasTopics, PERSONAL_TYPES, type FormRules, type PersonalOptions } from './policy.js'
import type { CheckBody } from './protocol.js'
import { learnTopics, offTopic, TOPIC_MIN, topicKinds, type TopicOptions, type Topics } from './topics.js'

export interface GuardRules extends Omit<FormRules, 'injection'> {
  readonly model: string
  readonly injection: false | { readonly min?: number; readonly attacks?: readonly string[]; readonly ordinary?: readonly string[] }
  readonly personal: false | PersonalOptions
  readonly topics: TopicOptions
}

/** What is compared with. */
export interface Learnt {
  readonly known: Known
  readonly topics: Topics | undefined
}
export interface LookInput {
  readonly message: CheckBody
  readonly learnt: Learnt
  readonly to: ReturnAddress
}
export interface GuardWork {
  readonly learn: Effect<Learnt, void>
  readonly look: Effect<Settled<Looked>, LookInput>
}

interface Sentence {
  readonly start: number
  readonly text: string
  readonly understood: Understood
}

export const guardWork = (rules: GuardRules): GuardWork => {
  const look = looker(rules)
  return {
    learn: stepOnce('learn', (_: void, work) => learn(rules, work)),
    look: answering('look', async ({ message, learnt }: LookInput, work): Promise<Looked> => {
      const parts = partsOf(message)
      const findings: (readonly Finding[])[] = []
      for (const part of parts) findings.push(part.type === 'text' ? await look(part.text, message.direction, learnt, work) : [])
      return { parts, findings, direction: message.direction, conversation: message.conversation }
    }),
  }
}

function partsOf({ text, parts }: CheckBody): readonly Part[] {
  if (text === undefined && parts === undefined) throw new TroupeError('InvalidMessage', 'a check has neither text nor parts', 'give { text } or { parts }')
  return [...(text === undefined ? [] : [{ type: 'text', text } as const]), ...(parts ?? [])]
}

async function learn({ model, injection, topics }: GuardRules, work: Work): Promise<Learnt> {
  const attacks = injection === false ? [] : [...ATTACKS, ...(injection.attacks ?? [])]
  const ordinary = injection === false ? [] : [...ORDINARY, ...(injection.ordinary ?? [])]
  const kinds = topicKinds(topics)
  const texts = [...attacks, ...ordinary, ...kinds.flatMap((kind) => kind.texts)]
  const vectors = texts.length === 0 ? [] : await work.infer<Float32Array[]>('embed', model, texts, { signal: work.signal, urgency: 'interactive' })
  const begin = attacks.length + ordinary.length
  return { known: { attacks: vectors.slice(0, attacks.length), ordinary: vectors.slice(attacks.length, begin) }, topics: await inSlices(learnTopics(kinds, vectors.slice(begin)), work.signal) }
}

type Look = (text: string, direction: Direction, learnt: Learnt, work: Work) => Promise<Finding[]>

function looker({ model, injection, personal, topics, ...forms }: GuardRules): Look {
  const formsOf = formFinder({ ...forms, injection: injection !== false })
  const personalOf = personal === false ? undefined : personalFinder(personal)
  return async (text, direction, learnt, work) => {
    const found = formsOf(text, direction)
    if (found.some(({ rule }) => rule === 'length') || text.trim() === '') return found
    const seeksAttacks = injection !== false && direction !== 'output'
    const seeksTopics = hasTopics(topics) && direction === 'input'
    const sentences = seeksAttacks || seeksTopics || personalOf !== undefined ? await sentencesOf(text, model, work) : []
    if (seeksAttacks) found.push(...attacksIn(sentences, learnt.known, injection.min ?? INJECTION_MIN))
    if (seeksTopics && learnt.topics !== undefined) {
      const refused = offTopic(sentences.map(({ text: said, understood }) => ({ text: said, vector: understood.vector })), learnt.topics, topics.min ?? TOPIC_MIN)
      if (refused !== undefined) found.push({ rule: 'topic', action: 'refuse', ...refused, start: 0, end: text.length })
    }
    if (personalOf !== undefined) found.push(...(await personalOf(text, direction, sentences, work.clock.now())))
    return found
  }
}

/** Every sentence with its vector and tags, from one pass. */
async function sentencesOf(text: string, model: string, work: Work): Promise<Sentence[]> {
  const spans = sentenceSpans(text).flatMap(({ start, end }) => ((sentence) => (sentence === '' ? [] : [{ start, end: start + sentence.length }]))(text.slice(start, end).trimEnd()))
  const understood = await work.infer<Understood[]>('understand', model, spans.map(({ start, end }) => text.slice(start, end)), { signal: work.signal, urgency: 'interactive' })
  return spans.map(({ start, end }, at) => ({ start, text: text.slice(start, end), understood: understood[at] as Understood }))
}

const attacksIn = (sentences: readonly Sentence[], known: Known, min: number): Finding[] =>
  sentences.flatMap(({ start, text, understood }): Finding[] => {
    const score = injectionScore(text, understood.vector, known)
    return score < min ? [] : [{ rule: 'injection', name: 'like a known attack', action: 'refuse', score, start, end: start + text.length }]
  })

const SCORE_MIN = 0.6

function personalFinder({ types = PERSONAL_TYPES, entities = [], scoreMin = SCORE_MIN, directions = ALL }: PersonalOptions): (text: string, direction: Direction, sentences: readonly Sentence[], now: number) => Promise<Finding[]> {
  const declared = declaredFinder(entities)
  const wanted = new Set([...types, ...entities.map(({ type }) => type)])
  return async (text, direction, sentences, now) => {
    if (!directions.includes(direction)) return []
    const tagged = sentences.flatMap(({ start, understood }) => understood.entities.filter(({ score }) => score >= scoreMin).map((each) => ({ ...each, start: start + each.start, end: start + each.end })))
    const all = await entitiesOf(text, tagged, [...declared(text), ...identifiersOf(text)], { now, timeZone: 'UTC' })
    return all.filter(({ type }) => wanted.has(type)).map(({ type, start, end, score }): Finding => ({ rule: 'personal', name: type, action: 'redact', score, start, end: type === 'person' ? nameEnd(text, end) : end }))
  }
}

/** The tagger often stops after the first of somebody's names: those that follow in capitals belong to it. */
const nameEnd = (text: string, end: number): number => end + (/^(?:[ -]\p{Lu}[\p{L}'’]{1,30}){1,3}/u.exec(text.slice(end, end + 100))?.[0].length ?? 0)
