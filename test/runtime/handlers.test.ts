// What a handler holds: its outbox, its waits, its children, and what is left of it when it has ended.
import { expect, test, describe } from 'vitest'
import { actor, createTroupe, event, protocol, request, type ActorEnding, type Me, type Troupe } from 'troupe'
import { virtualClock, type VirtualClock } from 'troupe/testing'
import { any, gate, rejection, turn } from './stage.js'

const Notes = protocol({ note: event(any<{ text: string }>()), read: request(null, any<string[]>()), hold: request(null, any<string>()) })
const Actor = protocol({ run: request(any<{ what?: string }>(), any<unknown>()), tick: event(any<{ n: number }>()), ended: event(any<{ how: string }>()), seen: request(null, any<unknown[]>()) })
type Run = (me: Me<typeof Actor.specs, unknown[]>, what: string) => unknown

/** An actor whose `run` does what the test says, beside one that notes what it is told. */
async function stage(run: Run, options: { readonly noteCapacity?: number } = {}): Promise<{ troupe: Troupe; clock: VirtualClock; ref: ReturnType<typeof spawnActor>; notes: ReturnType<typeof spawnNotes> }> {
  const clock = virtualClock()
  const troupe = await createTroupe({ clock, log: () => {} })
  const spawnNotes = () =>
    troupe.spawn('notes', actor(Notes, {
      mailbox: { capacity: options.noteCapacity ?? 1_024 },
      state: () => [] as string[],
      on: { note: ({ text }, me) => void me.state.push(text), read: (_, me) => me.state, hold: async (_, me) => (await me.sleep('1s'), 'held') },
    }))
  const spawnActor = () =>
    troupe.spawn('a', actor(Actor, {
      supervise: { onFailure: 'resume' },
      state: () => [] as unknown[],
      on: {
        run: ({ what = '' }, me) => run(me, what),
        tick: ({ n }, me) => void me.state.push(n),
        ended: ({ how }, me) => void me.state.push(how),
        seen: (_, me) => me.state,
      },
    }))
  return { troupe, clock, notes: spawnNotes(), ref: spawnActor() }
}
const notesOf = <State>(me: Me<typeof Actor.specs, State>) => me.ref(Notes, 'notes')
const note = (me: Me<typeof Actor.specs, unknown[]>, text: string): void => me.tell(notesOf(me), { type: 'note', text })

describe('the outbox', () => {
  test('leaves, in order, when the handler has ended', async () => {
    const { troupe, ref, notes } = await stage((me) => {
      note(me, 'one')
      note(me, 'two')
      note(me, 'three')
      return 'done'
    })
    expect(await ref.ask({ type: 'run' })).toBe('done')
    expect(await notes.ask({ type: 'read' })).toEqual(['one', 'two', 'three'])
    await troupe.stop()
  })

  test('is dropped when the handler fails, each message with a name for its end', async () => {
    const { troupe, ref, notes } = await stage((me) => {
      note(me, 'never')
      throw new Error('no')
    })
    const facts: string[] = []
    troupe.inspect(({ kind, type, reason }) => facts.push(`${kind} ${type}${reason === undefined ? '' : ` (${reason})`}`))
    expect(await rejection(ref.ask({ type: 'run' }))).toMatchObject({ code: 'ActorFailed' })
    expect(await notes.ask({ type: 'read' })).toEqual([])
    expect(facts.slice(0, 4)).toEqual(['sent run', 'sent note', 'cancelled note (actor-failed)', 'dead-lettered run (failed)'])
    await troupe.stop()
  })

  test.each(['sleep', 'ask', 'step'] as const)('sends what came before an await (%s) first, and that stays sent when the handler fails', async (effect) => {
    const { troupe, clock, ref, notes } = await stage(async (me) => {
      note(me, 'before')
      if (effect === 'sleep') await me.sleep(10)
      // What it asked for already sees what it told before.
      if (effect === 'ask') expect(await me.ask(notesOf(me), { type: 'read' })).toEqual(['before'])
      if (effect === 'step') await me.step('work', () => 1)
      note(me, 'after')
      throw new Error('no')
    })
    const outcome = rejection(ref.ask({ type: 'run' }))
    await clock.advance(10)
    expect(await outcome).toMatchObject({ code: 'ActorFailed', cause: { message: 'no' } })
    expect(await notes.ask({ type: 'read' })).toEqual(['before'])
    await troupe.stop()
  })

  test('is bounded: the 10,001st message throws Overloaded, and the others leave', async () => {
    const { troupe, ref, clock } = await stage((me) => {
      const lost = me.ref(Notes, 'nobody')
      for (let i = 0; i < 10_000; i++) me.tell(lost, { type: 'note', text: '' })
      try {
        me.tell(lost, { type: 'note', text: '' })
        return 'all sent'
      } catch (error) {
        return (error as { code: string }).code
      }
    })
    expect(await ref.ask({ type: 'run' })).toBe('Overloaded')
    await clock.settle()
    expect(troupe.deadLetters.counts()).toEqual({ overloaded: 1, 'no-such-actor': 10_000 })
    await troupe.stop()
  })

  test('is bounded in bytes: a message too many leaves room for a smaller one', async () => {
    const { troupe, ref } = await stage((me) => {
      const big = 'x'.repeat(15 * 1_024 * 1_024)
      try {
        for (let i = 0; i < 5; i++) note(me, big)
      } catch (error) {
        note(me, 'small')
        return (error as { code: string }).code
      }
      return 'all sent'
    })
    expect(await ref.ask({ type: 'run' })).toBe('Overloaded')
    await troupe.stop()
  })

  test('waits for room while its own actor takes no more mail, and then goes on in order', async () => {
    const { troupe, clock, ref, notes } = await stage((me, what) => {
      for (let i = 0; i < 5; i++) note(me, `${what}${i}`)
      return what
    }, { noteCapacity: 2 })
    const held = notes.ask({ type: 'hold' })
    await clock.settle()
    const first = ref.ask({ type: 'run', what: 'a' })
    const second = ref.ask({ type: 'run', what: 'b' })
    await clock.advance('1s')
    expect([await held, await first, await second]).toEqual(['held', 'a', 'b'])
    expect(await notes.ask({ type: 'read' })).toEqual(['a0', 'a1', 'a2', 'a3', 'a4', 'b0', 'b1', 'b2', 'b3', 'b4'])
    await troupe.stop()
  })

  test('gives up after the send timeout: the rest are dead letters, the answer comes, the actor goes on', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const P = protocol({ ball: event(any<{ n: number }>()), serve: request(null, any<string>()), stuck: request(null, any<string>()) })
    const player = (other: string) =>
      actor(P, {
        mailbox: { capacity: 2 },
        on: {
          ball: (_, me) => {
            for (let n = 0; n < 6; n++) me.tell(me.ref(P, other), { type: 'ball', n })
          },
          serve: () => 'served',
          stuck: async (_, me) => (await me.sleep('1h'), ''),
        },
      })
    const [a, b] = [troupe.spawn('a', player('b')), troupe.spawn('b', player('a'))]
    // Both full of balls, each of which makes six more for the other.
    for (const ref of [a, b]) for (let n = 0; n < 2; n++) void ref.tell({ type: 'ball', n })
    await clock.settle()
    const served = [a.ask({ type: 'serve' }, { timeout: '10m' }), b.ask({ type: 'serve' }, { timeout: '10m' })]
    await clock.advance('5m')
    expect(await Promise.all(served)).toEqual(['served', 'served'])
    expect(troupe.deadLetters.counts()['send-timeout']).toBeGreaterThan(0)
    const stopping = troupe.stop({ within: 0 })
    await clock.advance(0)
    await stopping
  })

  test('what an actor tells itself beyond its own room is refused at once, not after the timeout', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const P = protocol({ more: event(), start: request(null, any<string>()) })
    let handled = 0
    const ref = troupe.spawn('a', actor(P, { mailbox: { capacity: 3 }, on: { more: () => void handled++, start: (_, me) => { for (let i = 0; i < 5; i++) me.tell(me.self, { type: 'more' }); return 'told' } } }))
    expect(await ref.ask({ type: 'start' })).toBe('told')
    await clock.settle()
    expect([handled, troupe.deadLetters.counts()]).toEqual([3, { overloaded: 2 }])
    await troupe.stop()
  })
})

describe('waits', () => {
  test('me.waitFor takes only the awaited event meanwhile; the rest waits its turn', async () => {
    const { troupe, clock, ref } = await stage(async (me) => {
      const { how } = await me.waitFor('ended')
      me.state.push(`waited for ${how}`)
      return 'done'
    })
    const run = ref.ask({ type: 'run' })
    void ref.tell({ type: 'tick', n: 1 })
    await clock.settle()
    void ref.tell({ type: 'tick', n: 2 })
    void ref.tell({ type: 'ended', how: 'now' })
    void ref.tell({ type: 'ended', how: 'later' })
    expect(await run).toBe('done')
    expect(await ref.ask({ type: 'seen' })).toEqual(['waited for now', 1, 2, 'later'])
    await troupe.stop()
  })

  test('me.waitFor finds the event in its mailbox, and with a sender that waits for room', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const P = protocol({ go: event(any<{ n: number }>()), other: event(), start: request(null, any<number>()) })
    const begin = gate()
    const ref = troupe.spawn('a', actor(P, { mailbox: { capacity: 2 }, on: { other: () => {}, go: () => {}, start: async (_, me) => { await begin.passed; return (await me.waitFor('go')).n } } }))
    const started = ref.ask({ type: 'start' })
    await turn()
    for (let i = 0; i < 2; i++) void ref.tell({ type: 'other' })
    const told = ref.tell({ type: 'go', n: 7 })
    begin.open()
    expect([await started, await told]).toEqual([7, undefined])
    await troupe.stop()
  })

  test('me.waitFor gives up after its timeout, and wants an event of its own protocol', async () => {
    const { troupe, clock, ref } = await stage(async (me, what) => {
      try {
        return await me.waitFor(what as 'tick', { timeout: '1s' })
      } catch (error) {
        return (error as { code: string }).code
      }
    })
    const outcome = ref.ask({ type: 'run', what: 'tick' })
    await clock.advance('1s')
    expect(await outcome).toBe('DeadlineExceeded')
    expect(await ref.ask({ type: 'run', what: 'seen' })).toBe('InvalidDefinition')
    expect(await ref.ask({ type: 'seen' })).toEqual([])
    await clock.settle()
    expect(clock.timers).toBe(0)
    await troupe.stop()
  })

  test('me.waitFor skips an event that an interceptor refuses', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock, interceptors: [{ receive: (message) => { if (message['n'] === 1) throw new Error('not this one') } }] })
    const ref = troupe.spawn('a', actor(Actor, { on: { run: async (_, me) => (await me.waitFor('tick')).n, tick: () => {}, ended: () => {}, seen: () => [] } }))
    const run = ref.ask({ type: 'run' })
    await clock.settle()
    await ref.tell({ type: 'tick', n: 1 })
    await ref.tell({ type: 'tick', n: 2 })
    expect([await run, troupe.deadLetters.counts()]).toEqual([2, { refused: 1 }])
    await troupe.stop()
  })

  test('me.step gives the same key for each try of the same work', async () => {
    const keys: string[] = []
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const P = protocol({ pay: request(null, any<string>()) })
    const ref = troupe.spawn('till/7', actor(P, { retries: 2, on: { pay: async (_, me) => me.step('charge', ({ idempotencyKey }) => { keys.push(idempotencyKey); if (keys.length < 3) throw new Error('declined'); return 'paid' }) } }))
    expect(await ref.ask({ type: 'pay' })).toBe('paid')
    expect(new Set(keys).size).toBe(1)
    expect(keys).toHaveLength(3)
    await troupe.stop()
  })
})

describe('family and neighbours', () => {
  test('me.watch tells how another ended, as a message of its own', async () => {
    const { troupe, clock, ref, notes } = await stage((me) => {
      const how = (ending: ActorEnding): { type: 'ended'; how: string } => ({ type: 'ended', how: ending.kind })
      me.watch(notesOf(me), how)
      me.watch(me.ref(Notes, 'nobody'), how)
      return 'watching'
    })
    expect(await ref.ask({ type: 'run' })).toBe('watching')
    expect(await ref.ask({ type: 'seen' })).toEqual(['no-such-actor'])
    await notes.stop()
    await clock.settle()
    expect(await ref.ask({ type: 'seen' })).toEqual(['no-such-actor', 'stopped'])
    await troupe.stop()
  })

  test('a message that cannot be made of an ending is the fault of who watches', async () => {
    const { troupe, ref, notes, clock } = await stage((me) => {
      me.watch(notesOf(me), () => {
        throw new Error('no words')
      })
      return 'watching'
    })
    await ref.ask({ type: 'run' })
    const other = notes.watch()
    await notes.stop()
    await clock.settle()
    expect(await other).toEqual({ kind: 'stopped' })
    expect(await ref.ask({ type: 'seen' })).toEqual([])
    await troupe.stop()
  })

  test('me.publish reaches subscribers at commit; me.subscribe lasts until the actor stops', async () => {
    const { troupe, ref, clock } = await stage((me, what) => {
      if (what === 'subscribe') me.subscribe('news.*')
      else me.publish('news.today', { type: 'tick', n: 5 })
      return what
    })
    await ref.ask({ type: 'run', what: 'subscribe' })
    await ref.ask({ type: 'run', what: 'publish' })
    await clock.settle()
    expect(await ref.ask({ type: 'seen' })).toEqual([5])
    await ref.stop()
    await troupe.publish('news.today', { type: 'tick', n: 6 })
    expect(troupe.deadLetters.list()).toEqual([])
    await troupe.stop()
  })

  test('me.stop stops after this handler: what it sent leaves, the rest is told', async () => {
    const { troupe, ref, notes } = await stage((me) => {
      me.stop()
      note(me, 'last words')
      return 'goodbye'
    })
    const ended = ref.watch()
    const outcomes = [ref.ask({ type: 'run' }), rejection(ref.ask({ type: 'seen' }))]
    expect(await Promise.all(outcomes)).toMatchObject(['goodbye', { code: 'NoSuchActor' }])
    expect([await ended, await notes.ask({ type: 'read' })]).toEqual([{ kind: 'stopped' }, ['last words']])
    await troupe.stop()
  })

  test('me.stop in started stops the actor', async () => {
    const troupe = await createTroupe()
    const ref = troupe.spawn('a', actor(Notes, { started: (me) => me.stop(), on: { note: () => {}, read: () => [], hold: () => '' } }))
    expect(await rejection(ref.ask({ type: 'read' }))).toMatchObject({ code: 'NoSuchActor' })
    await troupe.stop()
  })
})

describe('when the handler has ended', () => {
  test('what a left-over callback tells leaves at once, and comes from the actor', async () => {
    const callback = gate()
    const { troupe, ref, notes } = await stage((me) => {
      void callback.passed.then(() => note(me, 'late'))
      return 'done'
    })
    await ref.ask({ type: 'run' })
    callback.open()
    await turn()
    expect(await notes.ask({ type: 'read' })).toEqual(['late'])
    await troupe.stop()
  })

  test('a left-over callback still knows whom its own message came from', async () => {
    const Mail = protocol({ letter: event(), got: event(any<{ from: string }>()) })
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const callbacks: (() => string)[] = []
    const clerk = troupe.spawn('clerk', actor(Mail, { on: { letter: (_, me) => void callbacks.push(() => `${me.from} ${me.envelope}`), got: () => {} } }))
    for (const name of ['x', 'y']) troupe.spawn(name, actor(Mail, { started: (me) => me.tell(clerk, { type: 'letter' }), on: { letter: () => {}, got: () => {} } }))
    await clock.settle()
    expect(callbacks.map((callback) => callback())).toEqual(['x 1', 'y 2'])
    await troupe.stop()
  })

  test('a left-over ask is answered, and is no part of the next handler', async () => {
    const answers: unknown[] = []
    const { troupe, clock, ref } = await stage((me, what) => {
      if (what !== 'leave') return me.sleep('1d')
      void me.ask(notesOf(me), { type: 'hold' }).then((answer) => answers.push(answer))
      return 'left'
    })
    expect(await ref.ask({ type: 'run', what: 'leave' })).toBe('left')
    const stop = new AbortController()
    const next = rejection(ref.ask({ type: 'run', what: 'sleep' }, { signal: stop.signal }))
    await clock.settle()
    stop.abort()
    expect(await next).toMatchObject({ code: 'Cancelled' })
    await clock.advance('1s')
    expect(answers).toEqual(['held'])
    await troupe.stop()
  })

  test('an actor that has stopped starts no children', async () => {
    const callback = gate<(name: string) => void>()
    const { troupe, ref } = await stage((me) => {
      callback.open((name) => void me.spawn(name, actor(Notes, { on: { note: () => {}, read: () => [], hold: () => '' } })))
      return 'done'
    })
    await ref.ask({ type: 'run' })
    const spawn = await callback.passed
    await ref.stop()
    expect(() => spawn('child')).toThrow(expect.objectContaining({ code: 'Cancelled' }))
    await troupe.stop()
  })
})
