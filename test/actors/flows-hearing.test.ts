// What is understood without a conversation around it: states tracked over schemas, and what a declaration may not be.
import { describe, expect, test } from 'vitest'
import { actor, createTroupe, memory } from 'troupe'
import { flow, flows, Nlu, likeness, track, trackable, UNTRACKED, type Act, type Tracked } from 'troupe/actors'

const inn = trackable({
  name: 'inn',
  description: 'Find and book rooms in small inns',
  intents: [
    { description: 'Find an inn in a town', slots: ['has_garden'], required: ['town'] },
    { description: 'Book a room', slots: ['guests'], required: ['inn_name', 'arrival_date', 'leaving_date'] },
  ],
  slots: [
    { name: 'town', description: 'Town where the inn is' },
    { name: 'inn_name', description: 'Name of the inn' },
    { name: 'arrival_date', description: 'Start date of the stay' },
    { name: 'leaving_date', description: 'End date of the stay' },
    { name: 'guests', description: 'Number of guests', values: ['1', '2', '3', '4'] },
    { name: 'has_garden', description: 'Whether there is a garden', values: ['True', 'False'] },
    { name: 'phone', description: 'Phone number of the inn' },
  ],
})
const ferry = trackable({
  name: 'ferry',
  description: 'Tickets for ferries',
  intents: [{ description: 'Buy a ferry ticket', slots: [], required: ['destination_town', 'departure_date'] }],
  slots: [
    { name: 'destination_town', description: 'Town that the ferry goes to' },
    { name: 'departure_date', description: 'Date on which the ferry leaves' },
  ],
})

const place = (text: string, value: string) => ({ type: 'place', value, start: text.indexOf(value), end: text.indexOf(value) + value.length, score: 1 })
const say = (before: Tracked, text: string, acts: readonly Act[] = [], places: readonly string[] = []): Tracked => track([inn, ferry], before, { text, entities: places.map((value) => place(text, value)) }, acts)
const asked = (slot: string): Act => ({ kind: 'asked', flow: 'inn', slot })

describe('tracking', () => {
  test('takes what was asked for, and what was not', () => {
    const one = say(UNTRACKED, 'I need an inn in Bergen with a garden for two guests', [], ['Bergen'])
    expect(one.values).toEqual({ inn: { town: 'Bergen', has_garden: 'True', guests: '2' } })
    expect(say(one, 'not before March 4th', [asked('arrival_date')]).values['inn']).toMatchObject({ arrival_date: 'March 4th', town: 'Bergen' })
  })

  test('tells two dates apart by the words before them', () => {
    expect(say(UNTRACKED, 'an inn starting March 4th and ending March 9th').values['inn']).toEqual({ arrival_date: 'March 4th', leaving_date: 'March 9th' })
  })

  test('takes an offer that is accepted, but not what only describes it', () => {
    const offers: Act[] = [{ kind: 'offered', flow: 'inn', slot: 'inn_name', value: 'The Anchor' }, { kind: 'offered', flow: 'inn', slot: 'has_garden', value: 'True' }]
    expect(say(UNTRACKED, 'is there anything else?', offers).values['inn'] ?? {}).toEqual({})
    expect(say(UNTRACKED, 'that sounds good', offers).values['inn']).toEqual({ inn_name: 'The Anchor' })
  })

  test('takes a summary unless it is refused', () => {
    const summary: Act[] = [{ kind: 'confirmed', flow: 'inn', slot: 'guests', value: '3' }]
    expect(say(UNTRACKED, 'thank you', summary).values['inn']).toEqual({ guests: '3' })
    expect(say(UNTRACKED, 'no, four guests', summary).values['inn']).toEqual({ guests: '4' })
  })

  test('answers a yes-or-no question by its answer, and does not take a question for an answer', () => {
    expect(say(UNTRACKED, 'no', [asked('has_garden')]).values['inn']).toEqual({ has_garden: 'False' })
    expect(say(UNTRACKED, 'does it have a garden?', [{ kind: 'told', flow: 'inn', slot: 'phone', value: '1' }]).values['inn'] ?? {}).toEqual({})
  })

  test('carries the town over to the next flow, where the words point back', () => {
    const one = say(UNTRACKED, 'an inn in Bergen', [], ['Bergen'])
    const two = say(one, 'and a ferry ticket to get there', [asked('arrival_date')])
    expect(two).toMatchObject({ flow: 'ferry', values: { inn: { town: 'Bergen' }, ferry: { destination_town: 'Bergen' } } })
  })
})

test('likeness heeds neither the order of words nor marks', () => {
  expect(likeness('The Anchor, Bergen', 'bergen the anchor')).toBe(1)
  expect(likeness('Bergen', 'Oslo')).toBeLessThan(0.5)
  expect(likeness('', 'Oslo')).toBe(0)
})

describe('a declaration', () => {
  const declare = (patterns: readonly string[]) => {
    const nlu = { protocol: Nlu, address: 'nlu' } as never
    return () => flows({ nlu, flows: patterns.map((pattern) => flow({ name: 'trace', title: 'trace a parcel', slots: { parcel: { pattern, ask: 'Which one?' } }, run: () => 1, done: 'On its way.' })) })
  }

  test('with two flows of one name, or a broken pattern, is refused', () => {
    expect(declare(['A', 'B'])).toThrow(expect.objectContaining({ code: 'InvalidDefinition' }) as Error)
    expect(declare(['('])).toThrow(expect.objectContaining({ code: 'InvalidDefinition' }) as Error)
    expect(declare(['[A-Z]{2}\\d{4}'])).not.toThrow()
  })
})

test('when understanding fails, the user is told so, and can go on', async () => {
  const troupe = await createTroupe()
  let tries = 0
  const parse = () => {
    if (tries++ === 0) throw new Error('the encoder is gone')
    return { language: 'en', sentences: [], tokens: [], entities: [], intents: [], scope: 1, outOfScope: true }
  }
  const others = Object.keys(Nlu.specs).filter((type) => type !== 'parse')
  const nlu = troupe.spawn('nlu', actor(Nlu, { on: { parse, ...Object.fromEntries(others.map((type) => [type, () => null])) } } as never))
  const talk = troupe.keyed('talk', flows({ nlu, flows: [] }))('ada')
  const said = async (): Promise<string> => {
    let text = ''
    for await (const chunk of talk.stream({ type: 'say', text: 'hello' })) if (chunk.kind === 'text') text += chunk.text
    return text
  }
  await expect(said()).rejects.toMatchObject({ code: 'ActorFailed' })
  expect(await said()).toBe('Sorry, I did not understand that.')
  await troupe.stop()
})

test('a durable conversation goes on where it was, after a restart', async () => {
  const store = memory()
  const wish = flow({ name: 'wish', title: 'make a wish', slots: { colour: { values: ['red', 'blue'], ask: 'Which colour?' }, day: { kind: 'date', ask: 'Which day?' } }, run: ({ colour, day }) => `${colour} ${day}`, done: 'You get it: {result}.' })
  const hear = async (text: string): Promise<string> => {
    await using troupe = await createTroupe({ store })
    const parse = () => ({ language: 'en', sentences: [], tokens: [], entities: [], intents: [{ name: 'wish', score: 0.9 }], scope: 1, outOfScope: false })
    const others = Object.keys(Nlu.specs).filter((type) => type !== 'parse')
    const nlu = troupe.spawn('nlu', actor(Nlu, { on: { parse, ...Object.fromEntries(others.map((type) => [type, () => null])) } } as never))
    const talk = troupe.keyed('talk', flows({ nlu, flows: [wish], durable: true }))('ada')
    let said = ''
    for await (const chunk of talk.stream({ type: 'say', text })) if (chunk.kind === 'text') said += chunk.text
    return said
  }
  expect(await hear('I have a wish')).toBe('Which colour?')
  expect(await hear('red')).toBe('Which day?')
  expect(await hear('on Friday')).toBe('You get it: red Friday.')
})
