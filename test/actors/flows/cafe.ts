// What the transcripts talk about: a café that books tables and delivers cakes, understood by a few words.
import { z } from 'zod'
import { actor, protocol, request, type Ref, type Troupe } from 'troupe'
import { charted, command, Dialogue, flow, Flows, type Flow, type FlowsOptions } from 'troupe/actors'

const Kitchen = protocol({ bake: request(z.looseObject({ cake: z.string(), day: z.string() }), z.object({ order: z.string() })) })
const kitchen = { on: { bake: ({ cake, day }: { cake: string; day: string }) => ({ order: `${cake[0]?.toUpperCase()}-${day.length}` }) } }

const table = flow({
  name: 'table',
  title: { en: 'book a table', zh: '订座' },
  slots: {
    place: {
      kind: 'listed',
      values: { 'North Station': ['north'], 'South Station': ['south'], Harbour: ['harbor', 'by the sea', '海港'] },
      label: { en: 'place', zh: '地点' },
      ask: { en: 'At which café?', zh: '哪一家店？' },
    },
    day: { kind: 'date', label: { en: 'day', zh: '日期' }, ask: { en: 'For which day?', zh: '哪一天？' } },
    people: {
      kind: 'number',
      description: 'number of people',
      label: { en: 'number of people', zh: '人数' },
      ask: { en: 'For how many?', zh: '几位？' },
      schema: z.number().int().min(1).max(8, 'we seat 8 at most'),
    },
    window: { kind: 'yes-no', label: { en: 'window', zh: '靠窗' } },
  },
  confirm: { en: 'A table for {people} at {place}, {day}: shall I book it?', zh: '{day}，{place}，{people}位，可以吗？' },
  run: ({ people, place, window }) => {
    if (people === 7) throw new RangeError('no table for seven')
    return { number: `${place[0]}${people}${window === true ? 'w' : ''}` }
  },
  done: { en: 'Booked: table {number}.', zh: '订好了，桌号{number}。' },
  failed: { en: 'Sorry, there is no such table.', zh: '抱歉，没有这样的座位。' },
})

const cake = (chef: Ref<(typeof Kitchen)['specs']>): Flow =>
  flow({
    name: 'cake',
    title: { en: 'order a cake', zh: '订蛋糕' },
    slots: {
      cake: { kind: 'listed', values: ['chocolate cake', 'cheese cake', 'carrot cake'], ask: { en: 'Which cake?', zh: '哪种蛋糕？' } },
      day: { kind: 'date', ask: { en: 'When do you need it?', zh: '什么时候要？' } },
      message: { kind: 'text', ask: { en: 'What shall we write on it?', zh: '写什么字？' }, optional: true },
    },
    run: command(chef, 'bake'),
    done: { en: 'Your order is {order}.', zh: '订单号{order}。' },
  })

const trip = flow({
  name: 'trip',
  title: { en: 'order a taxi', zh: '叫出租车' },
  slots: {
    from: { kind: 'place', cues: ['from', '从'], label: 'start', ask: 'Where from?' },
    to: { kind: 'place', cues: ['to', '到'], label: 'destination', ask: 'Where to?' },
  },
  run: ({ from, to }) => `${from} to ${to}`,
  done: 'A taxi is coming: {result}.',
})

/** A conversation of its own making, as any actor with the protocol may be. */
const riddler = actor(Flows, {
  state: () => ({ tries: 0 }),
  on: {
    say: function* ({ text }, me) {
      const isDone = /egg/iu.test(text) || me.state.tries++ === 2
      yield { kind: 'text' as const, text: isDone ? 'An egg!' : 'A box without hinges, key or lid: what is it?' }
      yield { kind: 'done' as const, state: isDone ? ('idle' as const) : ('collecting' as const), slots: [], language: 'en' }
    },
    reset: (_, me) => void (me.state.tries = 0),
    takeOver: () => {},
    answer: () => {},
    handBack: () => {},
    status: () => ({ state: 'idle' as const, slots: [], language: 'en' }),
  },
})

export function cafe(troupe: Troupe): readonly Flow[] {
  const chef = troupe.spawn('kitchen', actor(Kitchen, kitchen))
  const riddles = troupe.keyed('riddle', riddler)
  return [table, cake(chef), trip, charted({ name: 'riddle', title: 'a riddle', chart: (key) => riddles(key) })]
}
export const chitchat: NonNullable<FlowsOptions['replies']> = { joke: { en: 'I only know jokes about muffins.', zh: '我只会讲松饼的笑话。' } }

/** Answers what belongs to no flow. */
export const sources = actor(Dialogue, {
  on: {
    say: function* ({ text }) {
      yield { kind: 'text' as const, text: /dogs?/iu.test(text) ? 'Dogs are welcome.' : 'That is not in our pages.' }
      yield { kind: 'done' as const, how: 'answered' as const, sources: [], language: 'en', confidence: 1, grounded: true }
    },
    reset: () => {},
  },
})

const INTENTS: readonly (readonly [string, number, RegExp])[] = [
  ['table', 0.9, /\btable\b|订座|订位/iu],
  ['cake', 0.9, /\bcake for\b|\border a cake\b|蛋糕/iu],
  ['trip', 0.9, /\btaxi\b|出租车/iu],
  ['riddle', 0.9, /\briddle\b/iu],
  ['joke', 0.95, /\bjoke\b|笑话/iu],
  // Somebody who wants to "order" may mean either.
  ['cake', 0.45, /\border\b/iu],
  ['trip', 0.4, /\border\b/iu],
]

/** As `nlu` parses. */
export function understand(text: string): object {
  const best = new Map<string, number>()
  for (const [name, score, pattern] of INTENTS) if (pattern.test(text)) best.set(name, Math.max(best.get(name) ?? 0, score))
  const intents = [...best].map(([name, score]) => ({ name, score })).toSorted((a, b) => b.score - a.score)
  const entities = Array.from(text.matchAll(/\b(?:Leeds|York|Oslo)\b/gu), (match) => ({ type: 'place', value: match[0], start: match.index, end: match.index + match[0].length, score: 1, source: 'tagger' }))
  return { language: /\p{Script=Han}/u.test(text) ? 'zh' : /\p{L}/u.test(text) ? 'en' : 'und', sentences: [], tokens: [], scope: 1, entities, intents: intents.length === 0 ? [{ name: 'nothing', score: 0.3 }] : intents, outOfScope: intents.length === 0 }
}
