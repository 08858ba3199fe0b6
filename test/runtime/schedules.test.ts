import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, event, memory, protocol, request, type Late, type OpenStore, type ScheduleOptions } from 'troupe'
import { virtualClock, type VirtualClock } from 'troupe/testing'

const Diary = protocol({ note: event(z.object({ text: z.string() })), read: request(null, z.array(z.string())) })
const diary = (clock: VirtualClock, durable = true) =>
  actor(Diary, {
    durable,
    state: () => [] as string[],
    on: {
      note: ({ text }, me) => void me.state.push(`${text} ${new Date(clock.now()).toISOString().slice(0, 16)}`),
      read: (_, me) => me.state,
    },
  })
const START = Date.UTC(2026, 0, 1, 12)
type Rhythm = Pick<ScheduleOptions, 'cron' | 'every' | 'timeZone'>

/** A process with the schedule `tick` to the diary; what the diary holds at its end. */
async function life(store: OpenStore | undefined, clock: VirtualClock, lasts: `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`, rhythm?: Rhythm, late: Late = 'once'): Promise<string[]> {
  const troupe = await createTroupe({ clock, ...(store !== undefined && { store }) })
  const ref = troupe.spawn('diary', diary(clock, store !== undefined))
  if (rhythm !== undefined) await troupe.schedule('tick', { ...rhythm, to: ref, message: { type: 'note', text: 'tick' }, late } as ScheduleOptions<typeof Diary.specs>)
  await clock.advance(lasts)
  const notes = await ref.ask({ type: 'read' })
  const stopped = troupe.stop()
  await clock.advance(0)
  await stopped
  return notes
}

describe('in a running process', () => {
  test('every fires at its distance, cron at its moments', async () => {
    const clock = virtualClock({ start: START })
    expect(await life(undefined, clock, '3h', { every: '1h' })).toEqual(['tick 2026-01-01T13:00', 'tick 2026-01-01T14:00', 'tick 2026-01-01T15:00'])
    expect(await life(undefined, virtualClock({ start: START }), '3d', { cron: '30 9 * * *' })).toEqual(['tick 2026-01-02T09:30', 'tick 2026-01-03T09:30', 'tick 2026-01-04T09:30'])
  })

  test('a moment that a change to summer time leaves out is kept when the clocks have moved, and one that comes twice is kept once', async () => {
    const daily = { cron: '30 2 * * *', timeZone: 'Europe/Berlin' }
    const spring = await life(undefined, virtualClock({ start: Date.UTC(2026, 2, 27, 12) }), '3d', daily)
    expect(spring).toEqual(['tick 2026-03-28T01:30', 'tick 2026-03-29T01:00', 'tick 2026-03-30T00:30'])
    const autumn = await life(undefined, virtualClock({ start: Date.UTC(2026, 9, 23, 12) }), '3d', daily)
    expect(autumn).toEqual(['tick 2026-10-24T00:30', 'tick 2026-10-25T00:30', 'tick 2026-10-26T01:30'])
  })

  test('an hourly one has 23 and 25 moments on those days', async () => {
    const hourly = { cron: '0 * * * *', timeZone: 'Europe/Berlin' }
    expect(await life(undefined, virtualClock({ start: Date.UTC(2026, 2, 28, 22, 30) }), '23h', hourly)).toHaveLength(23)
    expect(await life(undefined, virtualClock({ start: Date.UTC(2026, 9, 24, 21, 30) }), '25h', hourly)).toHaveLength(25)
  })

  test('a cancelled one fires no more', async () => {
    const clock = virtualClock({ start: START })
    const troupe = await createTroupe({ clock, store: memory() })
    const ref = troupe.spawn('diary', diary(clock))
    const tick = await troupe.schedule('tick', { every: '1h', to: ref, message: { type: 'note', text: 'tick' } })
    await clock.advance('90m')
    expect(troupe.schedules.map(({ name, to, next }) => [name, to, next])).toEqual([['tick', 'diary', START + 2 * 3_600_000]])
    await tick.cancel()
    await clock.advance('5h')
    expect([await ref.ask({ type: 'read' }), troupe.schedules]).toEqual([['tick 2026-01-01T13:00'], []])
    await troupe.stop()
  })
})

describe('over restarts', () => {
  test('a schedule goes on without being set again, at its moments, each once', async () => {
    const store = memory()
    const clock = virtualClock({ start: START })
    await life(store, clock, '90m', { every: '1h' })
    await life(store, clock, '20m')
    expect(await life(store, clock, '70m')).toEqual(['tick 2026-01-01T13:00', 'tick 2026-01-01T14:00', 'tick 2026-01-01T15:00'])
  })

  test.each<[Late, string[]]>([
    ['once', ['tick 2026-01-01T18:30', 'tick 2026-01-01T19:00']],
    ['skip', ['tick 2026-01-01T19:00']],
    [{ each: 3 }, ['tick 2026-01-01T18:30', 'tick 2026-01-01T18:30', 'tick 2026-01-01T18:30', 'tick 2026-01-01T19:00']],
    [{ each: 100 }, [...Array<string>(5).fill('tick 2026-01-01T18:30'), 'tick 2026-01-01T19:00']],
  ])('what was missed is dealt with as late says: %j', async (late, expected) => {
    const store = memory()
    const clock = virtualClock({ start: START })
    expect(await life(store, clock, '90m', { every: '1h' }, late)).toEqual(['tick 2026-01-01T13:00'])
    await clock.advance('5h')
    expect(await life(store, clock, '30m')).toEqual(['tick 2026-01-01T13:00', ...expected])
  })

  test('set again with the same words it goes on, with others it begins anew', async () => {
    const store = memory()
    const clock = virtualClock({ start: START })
    await life(store, clock, '30m', { every: '1h' })
    expect(await life(store, clock, '30m', { every: '1h' })).toEqual(['tick 2026-01-01T13:00'])
    await clock.advance('5h')
    expect(await life(store, clock, '30m', { every: '2h' })).toEqual(['tick 2026-01-01T13:00'])
  })

  test('a crash between a moment and its message loses neither and doubles neither', async () => {
    const store = memory()
    const clock = virtualClock({ start: START })
    const troupe = await createTroupe({ clock, store })
    await troupe.schedule('tick', { every: '1h', to: troupe.spawn('diary', actor(Diary, { durable: true, state: () => [] as string[], on: { note: () => new Promise<void>(() => {}), read: () => [] } })), message: { type: 'note', text: 'tick' } })
    await clock.advance('1h')
    // The process is gone here: its diary took the message and never came to its end.
    expect(await life(store, clock, '30m')).toEqual(['tick 2026-01-01T13:00'])
  })
})

describe('what cannot be', () => {
  test.each<[string, Rhythm, string]>([
    ['no pattern', { cron: 'now and then' }, 'InvalidDefinition'],
    ['a minute that is none', { cron: '61 * * * *' }, 'InvalidDefinition'],
    ['a day that never comes', { cron: '0 0 30 2 *' }, 'InvalidDefinition'],
    ['a time zone that is none', { cron: '0 0 * * *', timeZone: 'Mars/Olympus' }, 'InvalidDefinition'],
    ['no time at all', { every: 0 }, 'InvalidDefinition'],
  ])('%s is told', async (_, rhythm, code) => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const to = troupe.spawn('diary', diary(clock, false))
    await expect(troupe.schedule('tick', { ...rhythm, to, message: { type: 'note', text: 'tick' } } as ScheduleOptions<typeof Diary.specs>)).rejects.toMatchObject({ code })
    expect(troupe.schedules).toEqual([])
    await troupe.stop()
  })

  test('a body that is none of its event, and more missed moments than it may fire for', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const to = troupe.spawn('diary', diary(clock, false))
    await expect(troupe.schedule('tick', { every: '1h', to, message: { type: 'note', text: 7 as unknown as string } })).rejects.toMatchObject({ code: 'InvalidMessage' })
    await expect(troupe.schedule('tick', { every: '1h', to, message: { type: 'note', text: '' }, late: { each: 1_001 } })).rejects.toMatchObject({ code: 'InvalidDefinition' })
    await troupe.stop()
  })

  test('at most 10,000 are set', async () => {
    const troupe = await createTroupe({ clock: virtualClock() })
    const to = troupe.spawn('diary', diary(virtualClock(), false))
    const message = { type: 'note', text: 'tick' } as const
    for (let i = 0; i < 10_000; i++) await troupe.schedule(`tick ${i}`, { every: '1h', to, message })
    await expect(troupe.schedule('one more', { every: '1h', to, message })).rejects.toMatchObject({ code: 'Overloaded' })
    await troupe.schedule('tick 7', { every: '2h', to, message })
    await troupe.stop()
  })
})
