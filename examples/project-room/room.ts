/** The room: hears what its members say, keeps the tasks, and sums the day up. What happens is published to `room`. */
import { actor, event, protocol, request, type Ref } from 'troupe'
import type { Nlu } from 'troupe/actors'
import { z } from 'zod'
import { wishOf } from './understanding.js'

const Task = z.object({ number: z.number(), who: z.string(), task: z.string(), by: z.string(), due: z.string().optional(), done: z.boolean() })
export type Task = z.infer<typeof Task>

export const Room = protocol({
  /** What a member says; what the room answers, `''` when it was not meant. */
  say: request(z.object({ who: z.string(), text: z.string() }), z.object({ answer: z.string() })),
  /** An agent reports by number. */
  finished: event(z.object({ number: z.number() })),
  summarise: event(),
  tasks: request(null, z.array(Task)),
})
/** Published to `room`. */
export const RoomNews = protocol({
  said: event(z.object({ by: z.string(), text: z.string() })),
  assigned: event(Task),
})

interface State {
  readonly tasks: Task[]
  /** Tasks finished since the last summary. */
  finishedToday: number
}
const MESSAGE_TASKS_MAX = 1_000
/** Words that say nothing of which task is meant. */
const SMALL = new Set(['the', 'a', 'is', 'are', 'i', 'have', 'done', 'finished', 'with', 'now', 'am', 'and', 'to', 'all'])

export const room = (nlu: Ref<(typeof Nlu)['specs']>) =>
  actor(Room, {
    state: (): State => ({ tasks: [], finishedToday: 0 }),
    on: {
      say: async ({ who, text }, me) => {
        me.publish('room', { type: 'said', by: who, text })
        const wish = wishOf(text, await me.ask(nlu, { type: 'parse', text }))
        const answer = ((): string => {
          switch (wish.kind) {
            case 'assign': {
              if (me.state.tasks.length >= MESSAGE_TASKS_MAX) return 'The list is full.'
              const task: Task = { number: me.state.tasks.length + 1, who: wish.who, task: wish.task, by: who, done: false, ...(wish.due !== undefined && { due: wish.due }) }
              me.state.tasks.push(task)
              me.publish('room', { type: 'assigned', ...task })
              return `#${task.number} ${lineOf(task)}`
            }
            case 'finish': {
              const task = meant(me.state.tasks, who, wish.words)
              return task === undefined ? '' : finish(me.state, task)
            }
            case 'list':
              return listOf(me.state.tasks)
            case 'none':
              return ''
          }
        })()
        if (answer !== '') me.publish('room', { type: 'said', by: 'room', text: answer })
        return { answer }
      },
      finished: ({ number }, me) => {
        const task = me.state.tasks.find((each) => each.number === number && !each.done)
        if (task !== undefined) me.publish('room', { type: 'said', by: task.who, text: finish(me.state, task) })
      },
      summarise: (_, me) => {
        const today = new Date(me.clock.now()).toISOString().slice(0, 10)
        const late = me.state.tasks.filter(({ done, due }) => !done && due !== undefined && due < today).map(({ number }) => `#${number}`)
        const text = [`${today}: ${me.state.finishedToday} finished today.`, listOf(me.state.tasks), ...(late.length > 0 ? [`Late: ${late.join(', ')}.`] : [])].join(' ')
        me.state.finishedToday = 0
        me.publish('room', { type: 'said', by: 'summary', text })
      },
      tasks: (_, me) => me.state.tasks,
    },
  })

const lineOf = ({ who, task, due }: Task): string => `${who}: ${task}${due === undefined ? '' : `, due ${due}`}`

function listOf(tasks: readonly Task[]): string {
  const open = tasks.filter(({ done }) => !done)
  return open.length === 0 ? 'Nothing is open.' : `Open: ${open.map((task) => `#${task.number} ${lineOf(task)}`).join('; ')}.`
}

function finish(state: State, task: Task): string {
  task.done = true
  state.finishedToday += 1
  return `#${task.number} is done.`
}

/** Of the speaker's open tasks the one that shares most words; the only one, when he says no more. */
function meant(tasks: readonly Task[], who: string, words: string): Task | undefined {
  const own = tasks.filter((task) => task.who === who && !task.done)
  const spoken = wordsOf(words)
  const [best] = own.map((task) => ({ task, shared: [...wordsOf(task.task)].filter((word) => spoken.has(word)).length })).sort((a, b) => b.shared - a.shared)
  return best !== undefined && (best.shared > 0 || (own.length === 1 && spoken.size === 0)) ? best.task : undefined
}
const wordsOf = (text: string): Set<string> => new Set((text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).filter((word) => !SMALL.has(word)))
