/** One thing that the user said, and what follows: pure, so that a conversation can be told again. */
import { chosen } from './choosing.js'
import { controlsIn, type Control } from './control.js'
import type { Heard, Utterance } from './hear.js'
import { after, atHand, heardIn, labelOf, leave, NOTHING_SAID, oneOf, OPEN_MAX, proceed, take, tell, type Declared, type Next, type Talk } from './talk.js'
import { worded, type Said } from './texts.js'

/** What the language understanding gives. */
export interface Understood extends Utterance {
  readonly language: string
  readonly intents: readonly { readonly name: string; readonly score: number }[]
  readonly outOfScope: boolean
}
/** How sure one must be, and how patient. */
export interface Manner {
  /** By intent: said to chit-chat. */
  readonly replies: Readonly<Record<string, Said>>
  /** From this score an intent starts its flow. */
  readonly startMin: number
  /** From this score an intent leads away from the flow at hand. */
  readonly switchMin: number
  /** From this score chit-chat gets its reply. */
  readonly replyMin: number
  /** Two flows whose scores are closer than this are asked about. */
  readonly gapMin: number
  /** Turns in a row that are not understood, before a human takes over. */
  readonly patience: number
  /** Whether somebody answers from sources. */
  readonly hasSources: boolean
}

interface Turn {
  readonly declared: Declared
  readonly manner: Manner
  readonly talk: Talk
  readonly said: Understood
  readonly controls: ReadonlySet<Control>
}

/** Tries what may have been meant, the clearest first. */
export function decide(declared: Declared, manner: Manner, before: Talk, said: Understood): Next {
  const language = said.language === 'und' ? before.language : said.language
  const talk = before.phase === 'closed' ? { ...NOTHING_SAID, language } : { ...before, language }
  const turn: Turn = { declared, manner, talk, said: corrected(said), controls: controlsIn(said.text.slice(0, LISTEN_MAX)) }
  const next = steered(turn) ?? passed(turn) ?? pick(turn) ?? confirmed(turn) ?? answered(turn) ?? started(turn) ?? chatted(turn) ?? freely(turn) ?? missed(turn)
  const line = next.says.join(' ')
  return { ...next, talk: { ...next.talk, said: line === '' || next.talk.phase === 'acting' ? next.talk.said : line } }
}

const TAKEN_BACK = /^(?:(?:no|nope|sorry|wait|oh|ah|actually|well)[,.!]*\s+)+|\b(?:i (?:meant|mean|said)|make (?:it|that)|change (?:it|that) to|let's make (?:it|that))\b|\b(?:instead|rather) of\b[^,.]*|\bnot\b[^,.]+[,.]?\s+but\b|\b(?:instead|rather)\b|^(?:不对|不是|错了)[，,。]?|我是说|我的意思是|改[成为到]|换[成为到]|应该是|不是[^，,]+[，,]?(?:而)?是/giu

/** No more than this of one utterance is listened to. */
const LISTEN_MAX = 2_000

/** The words without what they take back; blanks keep every place where it was. */
function corrected(whole: Understood): Understood {
  const said = { ...whole, text: whole.text.slice(0, LISTEN_MAX), entities: whole.entities.filter(({ end }) => end <= LISTEN_MAX) }
  const text = said.text.replaceAll('’', "'").replaceAll(TAKEN_BACK, (part) => ' '.repeat(part.length))
  if (text.trim() === '') return said
  return { ...said, text, entities: said.entities.filter(({ start, end }) => text.slice(start, end).trim() !== '') }
}

/** Words about the conversation itself. */
function steered({ declared, manner, talk, said, controls }: Turn): Next | undefined {
  const { flow } = atHand(declared, talk) ?? {}
  if (controls.has('human')) return handOver(declared, talk)
  const isLed = flow?.chart !== undefined
  if (controls.has('repeat') && !isLed) return { talk, says: [talk.said === '' ? tell(declared, talk, 'nothingToRepeat') : talk.said] }
  if (controls.has('restart') && flow !== undefined && !isLed) {
    const fresh = { flow: flow.name, filled: {}, skipped: [] }
    return proceed(declared, { ...talk, open: [...talk.open.slice(0, -1), fresh], latest: [], misses: 0 })
  }
  if (!controls.has('cancel')) return undefined
  if (flow !== undefined) return { ...leave(declared, talk, [tell(declared, talk, 'cancelled')]), ...(isLed && { left: flow.name }) }
  if (talk.phase === 'choosing') return { talk: { ...talk, phase: 'idle', choice: undefined }, says: [tell(declared, talk, 'cancelled')] }
  return flowsMeant(declared, said).some(({ score }) => score >= manner.startMin) ? undefined : { talk, says: [tell(declared, talk, 'nothingToCancel')] }
}

/** Hands the user over to a human; what was begun stays as it is. */
const handOver = (declared: Declared, talk: Talk): Next => ({ talk: { ...talk, phase: 'handed-over', misses: 0 }, says: [tell(declared, talk, 'handedOver')] })

/** A chart that leads the flow at hand hears everything else. */
function passed({ declared, talk }: Turn): Next | undefined {
  return atHand(declared, talk)?.flow.chart === undefined || talk.phase !== 'collecting' ? undefined : { talk: { ...talk, misses: 0 }, says: [], passedTo: 'chart' }
}

/** The answer to "which one?". */
function pick({ declared, talk, said }: Turn): Next | undefined {
  const { choice } = talk
  if (talk.phase !== 'choosing' || choice === undefined) return undefined
  const at = chosen(namesOf(declared, talk), said.text)
  const option = choice.options[at]
  if (option === undefined) return undefined
  const rest: Talk = { ...talk, phase: 'collecting', choice: undefined }
  switch (choice.kind) {
    case 'flow':
      return begin(declared, { ...rest, phase: 'idle' }, option, { ...said, text: choice.text, entities: [] })
    case 'value':
      return filled(declared, rest, [{ slot: choice.slot, value: option, start: 0, end: 0, score: 1, rivals: [], others: [] }])
    case 'slot':
      return filled(declared, rest, [{ ...choice.heard, slot: option }])
  }
}

function namesOf(declared: Declared, talk: Talk): string[] {
  const { choice } = talk
  const flow = atHand(declared, talk)?.flow
  if (choice === undefined) return []
  return choice.options.map((option) => (choice.kind === 'flow' ? worded(declared.flows.get(option)?.title ?? option, talk.language) : choice.kind === 'slot' && flow !== undefined ? labelOf(flow, option, talk.language) : option))
}

/** Takes values up and goes on, to a choice where one is open. */
function filled(declared: Declared, talk: Talk, heard: readonly Heard[]): Next {
  const taken = take(declared, talk, heard)
  const { choice } = taken.talk
  if (choice === undefined) return after(taken.says, proceed(declared, taken.talk))
  return after(taken.says, which(declared, { ...taken.talk, phase: 'choosing' }))
}

const QUESTIONS = { flow: 'whichFlow', value: 'whichValue', slot: 'whichSlot' } as const

/** Asks for the choice that is open. */
function which(declared: Declared, talk: Talk): Next {
  const { choice } = talk
  if (choice === undefined) return proceed(declared, talk)
  const value = choice.kind === 'slot' ? choice.heard.value : ''
  return { talk, says: [tell(declared, talk, QUESTIONS[choice.kind], { value, options: oneOf(declared, talk, namesOf(declared, talk)) })] }
}

/** The answer to "shall I?". */
function confirmed({ declared, talk, said, controls }: Turn): Next | undefined {
  const hand = atHand(declared, talk)
  if (talk.phase !== 'confirming' || hand === undefined) return undefined
  const heard = heardIn(declared, talk, said, [])
  const changes = heard.filter(({ slot, value }) => hand.open.filled[slot]?.text !== value)
  if (changes.length > 0) return filled(declared, talk, changes)
  const named = slotNamed(declared, talk, said.text)
  if (named !== undefined && !controls.has('yes')) return askAgain(declared, talk, named)
  if (controls.has('no')) return { talk: { ...talk, phase: 'confirming' }, says: [tell(declared, talk, 'change')] }
  return controls.has('yes') ? { talk: { ...talk, phase: 'acting', misses: 0 }, says: [] } : undefined
}

/** A slot that the words call by its name. */
function slotNamed(declared: Declared, talk: Talk, text: string): string | undefined {
  const flow = atHand(declared, talk)?.flow
  if (flow === undefined) return undefined
  return Object.keys(flow.slots).find((name) => {
    const label = labelOf(flow, name, talk.language).toLowerCase()
    return text.toLowerCase().includes(label)
  })
}

function askAgain(declared: Declared, talk: Talk, slot: string): Next {
  const { ask } = atHand(declared, talk)?.flow.slots[slot] ?? {}
  return { talk: { ...talk, phase: 'collecting', asked: slot, misses: 0 }, says: ask === undefined ? [tell(declared, talk, 'change')] : [worded(ask, talk.language)] }
}

/** An answer to what was asked, however much more it says; unless it leads elsewhere. */
function answered(turn: Turn): Next | undefined {
  const { declared, manner, talk, said, controls } = turn
  const hand = atHand(declared, talk)
  if (hand === undefined) return undefined
  const takesBack = controls.has('correction') || controls.has('no')
  const asked = talk.asked === undefined ? [] : [talk.asked]
  const heard = heardIn(declared, talk, said, asked).filter(({ isFree }) => isFree !== true)
  const [other] = flowsMeant(declared, said).filter(({ flow }) => flow !== hand.flow.name)
  const leadsAway = other !== undefined && other.score >= manner.switchMin && leftover(said.text, heard) > LEFTOVER_MAX
  if (heard.length > 0 && !leadsAway) return filled(declared, talk, heard)
  if (leadsAway) return undefined
  const named = takesBack || /\b(?:change|different|another)\b|改|换/iu.test(said.text) ? slotNamed(declared, talk, said.text) : undefined
  if (named !== undefined) return askAgain(declared, talk, named)
  if (!takesBack || talk.latest.length === 0) return undefined
  const again = heardIn(declared, talk, said, talk.latest.slice(-1))
  return again.length > 0 ? filled(declared, talk, again) : undefined
}

/** Up to so many words beside a value are still an answer. */
const LEFTOVER_MAX = 2
const FILLER = /^(?:i|i'd|we|the|a|an|to|for|on|at|in|of|it|is|please|like|want|would|my|and|yes|no|with|from|by|that|be|me|us)$/iu

function leftover(text: string, heard: readonly Heard[]): number {
  const words = Array.from(text.matchAll(/\p{Script=Han}{1,2}|[\p{L}\p{N}'-]+/gu))
  return words.filter(({ 0: word, index }) => !FILLER.test(word) && !heard.some(({ start, end }) => index >= start && index < end)).length
}

const flowsMeant = ({ flows }: Declared, { intents }: Understood): { readonly flow: string; readonly score: number }[] =>
  intents.flatMap(({ name, score }) => [...flows.values()].filter((flow) => (flow.intents ?? [flow.name]).includes(name)).map((flow) => ({ flow: flow.name, score })))

/** A flow begins, or two are asked about. One that is begun while another is open comes first. */
function started({ declared, manner, talk, said }: Turn): Next | undefined {
  const hand = atHand(declared, talk)
  const isTop = said.intents[0]
  const meant = flowsMeant(declared, said).filter(({ flow }) => flow !== hand?.flow.name)
  const [best, second] = meant
  if (best === undefined || said.outOfScope || isTop === undefined || isTop.score > best.score + manner.gapMin) return undefined
  if (hand !== undefined) return best.score >= manner.switchMin && isTop.score === best.score ? begin(declared, talk, best.flow, said) : undefined
  if (second !== undefined && second.flow !== best.flow && best.score - second.score < manner.gapMin && best.score + second.score >= manner.startMin) {
    return which(declared, { ...talk, phase: 'choosing', misses: 0, choice: { kind: 'flow', options: [best.flow, second.flow], text: said.text } })
  }
  return best.score >= manner.startMin ? begin(declared, talk, best.flow, said) : undefined
}

/** Opens a flow with what the words say of it already. One that waits is taken up again rather than begun twice. */
function begin(declared: Declared, talk: Talk, name: string, said: Understood): Next {
  const waiting = talk.open.find(({ flow }) => flow === name)
  const open = [...talk.open.filter((each) => each !== waiting).slice(1 - OPEN_MAX), waiting ?? { flow: name, filled: {}, skipped: [] }]
  const now: Talk = { ...talk, open, asked: undefined, choice: undefined, latest: [], misses: 0 }
  if (declared.flows.get(name)?.chart !== undefined) return { talk: { ...now, phase: 'collecting' }, says: [], passedTo: 'chart' }
  return filled(declared, now, heardIn(declared, now, said, []))
}

/** What is said of other things gets its reply; then the talk returns to where it was. */
function chatted({ declared, manner, talk, said }: Turn): Next | undefined {
  const [top] = said.intents
  const reply = top === undefined || top.score < manner.replyMin || said.outOfScope ? undefined : manner.replies[top.name]
  if (reply !== undefined) return after([worded(reply, talk.language)], resumed(declared, talk))
  const isQuestion = /[?？]\s*$/u.test(said.text) || atHand(declared, talk) === undefined
  return manner.hasSources && isQuestion ? { ...resumed(declared, { ...talk, misses: 0 }), passedTo: 'sources' } : undefined
}

const resumed = (declared: Declared, talk: Talk): Next => (atHand(declared, talk) === undefined ? { talk: { ...talk, phase: 'idle', choice: undefined, misses: 0 }, says: [] } : proceed(declared, { ...talk, misses: 0 }))

/** Any words may be the answer, where the slot takes any. */
function freely({ declared, talk, said }: Turn): Next | undefined {
  const heard = talk.asked === undefined || talk.phase !== 'collecting' ? [] : heardIn(declared, talk, said, [talk.asked])
  return heard.length > 0 ? filled(declared, talk, heard) : undefined
}

/** Not understood: says so and asks again; a human takes over when that goes on. */
function missed({ declared, manner, talk }: Turn): Next {
  const misses = talk.misses + 1
  if (misses >= manner.patience) return handOver(declared, talk)
  const again = talk.phase === 'choosing' ? which(declared, talk) : proceed(declared, talk)
  return after([tell(declared, talk, 'notUnderstood')], { ...again, talk: { ...again.talk, misses } })
}
