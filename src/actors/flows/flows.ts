import { actor, TroupeError, type Definition, type Duration } from '../../runtime/index.js'
import { milliseconds } from '../../ground/duration.js'
import { flowsChart } from './chart.js'
import { listening, type Flow } from './flow.js'
import { Flows } from './protocol.js'
import { TEXTS, type Said, type Texts } from './texts.js'
import { flowsWork, type Colleagues } from './work.js'

export interface FlowsOptions extends Colleagues {
  readonly flows: readonly Flow[]
  /** What is said to chit-chat, by intent. */
  readonly replies?: Readonly<Record<string, Said>>
  /** What the conversation says of itself, where it is to say it otherwise. */
  readonly texts?: Partial<Texts>
  /** From this score an intent starts its flow. Default 0.5. */
  readonly startMin?: number
  /** From this score an intent leads away from the flow at hand. Default 0.7. */
  readonly switchMin?: number
  /** From this score chit-chat gets its reply. Default 0.7. */
  readonly replyMin?: number
  /** Two flows whose scores are closer than this are asked about. Default 0.15. */
  readonly gapMin?: number
  /** Turns in a row that are not understood, before a human takes over. Default 3. */
  readonly patience?: number
  /** Silence before each reminder, and after the last before the conversation closes. Default 5 minutes. */
  readonly remindAfter?: Duration
  /** Default 1. */
  readonly reminders?: number
  /** What is said unasked is published to `<topic>.<conversation>`. Default `conversation`. */
  readonly topic?: string
  /** Keeps the conversation in the troupe's store: it goes on after a restart. Default false. */
  readonly durable?: boolean
}

/** A conversation led by declared flows: fills their slots, confirms, acts, and bears with people. For `troupe.keyed`. */
export function flows({ flows: declaredFlows, replies = {}, texts = {}, startMin = 0.5, switchMin = 0.7, replyMin = 0.7, gapMin = 0.15, patience = 3, remindAfter = '5m', reminders = 1, topic = 'conversation', durable = false, ...colleagues }: FlowsOptions): Definition<(typeof Flows)['specs']> {
  const declared = { flows: new Map(declaredFlows.map((each) => [each.name, each])), slots: new Map(declaredFlows.map((each) => [each.name, listening(each)])), texts: { ...TEXTS, ...texts } }
  if (declared.flows.size < declaredFlows.length) throw new TroupeError('InvalidDefinition', 'two flows of one name', 'give each flow a name of its own')
  const manner = { replies, startMin, switchMin, replyMin, gapMin, patience, hasSources: colleagues.sources !== undefined }
  const chart = flowsChart(flowsWork(colleagues, declared), { declared, manner, topic, remindAfterMs: milliseconds(remindAfter), reminders })
  return actor(Flows, chart, { durable, input: ({ key, address }) => ({ conversation: key === '' ? address : key }) })
}
