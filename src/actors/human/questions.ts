/**
 * The questions before one person, as data: what an event makes of them, and what is to be done about it.
 *
 * Invariants:
 * H1. An open question is settled once: decided, expired or withdrawn. Whoever comes later learns how.
 * H2. Everyone who asks one question gets one outcome.
 * H3. What was due while nobody ran happens once, at the next look at the clock, and only the last of it.
 */
import { TroupeError, type Address, type ReturnAddress } from '../../runtime/index.js'
import { milliseconds, type Duration } from '../../ground/duration.js'
import type { HumanAnswer, HumanApproval, HumanQuestion } from './protocol.js'

/** A person with more than this waiting is not asked: the whole record is written with each step. */
const OPEN_MAX = 200
/** Settled questions that are remembered, for those who ask again and those who decide late. */
const SETTLED_MAX = 200
const ASKERS_MAX = 16

export type Outcome = HumanApproval | HumanAnswer
type Moment = { readonly at: number; readonly what: 'remind' } | { readonly at: number; readonly what: 'pass'; readonly to: string } | { readonly at: number; readonly what: 'expire' }

export interface Question extends HumanQuestion {
  readonly askers: readonly ReturnAddress[]
  /** Whether its asker named it, and may come back for it. */
  readonly named: boolean
  readonly otherwise?: boolean | string
  readonly remindAfter: readonly Duration[]
  /** What is still to come, soonest first. */
  readonly moments: readonly Moment[]
  /** The child that waits for whom it was passed to. */
  readonly forward?: string
}
interface Settled {
  readonly id: string
  readonly kind: Question['kind']
  readonly how: 'decided' | 'expired' | 'withdrawn'
  readonly by?: string
  readonly at: number
  readonly outcome?: Outcome
}
export interface Questions {
  readonly open: readonly Question[]
  readonly settled: readonly Settled[]
  /** Questions that got their name here. */
  readonly named: number
  /** Questions that were passed on. */
  readonly forwarded: number
}
export const NO_QUESTIONS: Questions = { open: [], settled: [], named: 0, forwarded: 0 }

/** A question as it is asked. */
export interface Asking {
  readonly type: 'approve' | 'answer'
  readonly question: string
  readonly details?: string
  readonly id?: string
  readonly expiresIn?: Duration
  readonly remindAfter?: readonly Duration[]
  readonly delegate?: readonly { readonly to: string; readonly after: Duration }[]
  readonly options?: readonly string[]
  readonly otherwise?: boolean | string
  readonly from: ReturnAddress
}

export type Act =
  | { readonly act: 'answer'; readonly to: ReturnAddress; readonly value: {} }
  | { readonly act: 'refuse'; readonly to: ReturnAddress; readonly error: TroupeError }
  | { readonly act: 'news'; readonly type: 'asked' | 'reminded' | 'delegated'; readonly question: HumanQuestion }
  | { readonly act: 'news'; readonly type: 'returned'; readonly question: HumanQuestion; readonly reason: string }
  | { readonly act: 'news'; readonly type: 'closed'; readonly question: HumanQuestion; readonly how: Settled['how']; readonly by?: string }
  | { readonly act: 'forward'; readonly child: string; readonly question: Question; readonly to: Address; readonly now: number }
  | { readonly act: 'recall'; readonly child: string; readonly question: Question; readonly from: Address }
export interface Next {
  readonly questions: Questions
  readonly acts: readonly Act[]
}

const nothing = (questions: Questions): Next => ({ questions, acts: [] })
const refused = (questions: Questions, to: ReturnAddress, error: TroupeError): Next => ({ questions, acts: [{ act: 'refuse', to, error }] })
const find = (questions: Questions, id: string): Question | undefined => questions.open.find((each) => each.id === id)
const replace = (questions: Questions, changed: Question): Questions => ({ ...questions, open: questions.open.map((each) => (each.id === changed.id ? changed : each)) })

/** A question as others see it. */
export function view({ id, kind, question, details, options, askedBy, askedAt, expiresAt, passedTo, reminded }: Question): HumanQuestion {
  return { id, kind, question, askedBy, askedAt, reminded, ...(details !== undefined && { details }), ...(options !== undefined && { options }), ...(expiresAt !== undefined && { expiresAt }), ...(passedTo !== undefined && { passedTo }) }
}

/** When the clock has to be looked at next. */
export const nextMoment = ({ open }: Questions): number | undefined => open.reduce<number | undefined>((soonest, { moments }) => (moments[0] === undefined ? soonest : Math.min(soonest ?? Infinity, moments[0].at)), undefined)

export function ask(questions: Questions, asking: Asking, now: number): Next {
  const { from } = asking
  const before = asking.id === undefined ? undefined : questions.settled.find(({ id, how }) => id === asking.id && how !== 'withdrawn')
  if (before !== undefined) return again(questions, before, asking)
  const open = asking.id === undefined ? undefined : find(questions, asking.id)
  if (open !== undefined) return join(questions, open, asking)
  if (questions.open.length >= OPEN_MAX) return refused(questions, from, new TroupeError('Overloaded', `${OPEN_MAX} questions wait for this person`, 'ask somebody else, or later', { retryAfterMs: 60_000 }))
  const { question, named } = opened(questions, asking, now)
  return { questions: { ...questions, named, open: [...questions.open, question] }, acts: [{ act: 'news', type: 'asked', question: view(question) }] }
}

function opened(questions: Questions, { type, question, details, id, expiresIn, remindAfter = [], delegate = [], options, otherwise, from }: Asking, now: number): { question: Question; named: number } {
  let { named } = questions
  const taken = (name: string): boolean => find(questions, name) !== undefined || questions.settled.some((each) => each.id === name)
  let own = id
  while (own === undefined) if (!taken(String(++named))) own = String(named)
  const expiresAt = expiresIn === undefined ? undefined : now + milliseconds(expiresIn)
  const moments: Moment[] = [
    ...remindAfter.map((after) => ({ at: now + milliseconds(after), what: 'remind' as const })),
    ...delegate.map(({ to, after }) => ({ at: now + milliseconds(after), what: 'pass' as const, to })),
    ...(expiresAt === undefined ? [] : [{ at: expiresAt, what: 'expire' as const }]),
  ]
  const plain = { id: own, kind: type, question, askedBy: from.address, askedAt: now, reminded: 0, askers: [from], named: id !== undefined, remindAfter, moments: moments.toSorted((a, b) => a.at - b.at) }
  return { named, question: { ...plain, ...(details !== undefined && { details }), ...(options !== undefined && { options }), ...(expiresAt !== undefined && { expiresAt }), ...(otherwise !== undefined && { otherwise }) } }
}

function again(questions: Questions, { id, kind, outcome, at }: Settled, { type, from }: Asking): Next {
  if (kind !== type) return refused(questions, from, otherKind(id, kind))
  if (outcome === undefined) return refused(questions, from, expired(id, at))
  return { questions, acts: [{ act: 'answer', to: from, value: outcome }] }
}

function join(questions: Questions, open: Question, { type, from }: Asking): Next {
  if (open.kind !== type) return refused(questions, from, otherKind(open.id, open.kind))
  if (open.askers.length >= ASKERS_MAX) return refused(questions, from, new TroupeError('Overloaded', `${ASKERS_MAX} wait for the outcome of question ${open.id}`, 'let one wait and tell the others', { retryAfterMs: 60_000 }))
  return nothing(replace(questions, { ...open, askers: [...open.askers, from] }))
}

/** What the person said: `by` decided, with `approved` or `answer`. */
export interface Said {
  readonly type: 'decide' | 'reply'
  readonly id: string
  readonly by: string
  readonly comment?: string
  readonly changes?: Readonly<Record<string, unknown>>
  readonly approved?: boolean
  readonly answer?: string
  readonly from: ReturnAddress
}

export function decide(questions: Questions, said: Said, now: number): Next {
  const { id, from, by } = said
  const open = find(questions, id)
  if (open === undefined) return late(questions, said)
  const kind = said.type === 'decide' ? 'approve' : 'answer'
  if (open.kind !== kind) return refused(questions, from, otherKind(id, open.kind))
  if (said.answer !== undefined && open.options !== undefined && !open.options.includes(said.answer)) {
    return refused(questions, from, new TroupeError('InvalidMessage', `${JSON.stringify(said.answer)} is not among the answers to question ${id}`, `answer with one of ${open.options.map((each) => JSON.stringify(each)).join(', ')}`, { id, options: open.options }))
  }
  const outcome = outcomeOf(open, { how: 'decided', at: now, by, ...(said.comment !== undefined && { comment: said.comment }), ...(said.changes !== undefined && { changes: said.changes }) }, said.approved ?? said.answer ?? '')
  const next = settle(questions, open, outcome, now)
  return { ...next, acts: [...next.acts, { act: 'answer', to: from, value: outcome }] }
}

/** The same word of the same person is no second decision: a front may send it twice. */
function late(questions: Questions, { id, by, approved, answer, changes, from }: Said): Next {
  const settled = questions.settled.find((each) => each.id === id)
  const outcome = settled?.outcome
  const same = outcome !== undefined && outcome.by === by && ('approved' in outcome ? outcome.approved === approved && JSON.stringify(outcome.changes) === JSON.stringify(changes) : outcome.answer === answer)
  return same ? { questions, acts: [{ act: 'answer', to: from, value: outcome }] } : refused(questions, from, gone(id, settled))
}

function outcomeOf({ id, kind }: Question, facts: Omit<Outcome, 'id' | 'approved' | 'answer'>, value: boolean | string): Outcome {
  return kind === 'approve' ? { id, ...facts, approved: value === true } : { id, ...facts, answer: String(value) }
}

/** One outcome for all who asked, and nothing further for whom it was passed to. */
function settle(questions: Questions, open: Question, outcome: Outcome, now: number): Next {
  const acts = open.askers.map((to): Act => ({ act: 'answer', to, value: outcome }))
  return close(questions, open, { id: open.id, kind: open.kind, how: outcome.how, at: now, outcome, ...(outcome.by !== undefined && { by: outcome.by }) }, acts)
}

function close(questions: Questions, open: Question, settled: Settled, acts: readonly Act[]): Next {
  const { how, by } = settled
  return {
    questions: { ...questions, open: questions.open.filter(({ id }) => id !== open.id), settled: [...questions.settled.filter(({ id }) => id !== open.id), settled].slice(-SETTLED_MAX) },
    acts: [...acts, ...recall(open), { act: 'news', type: 'closed', question: view(open), how, ...(by !== undefined && { by }) }],
  }
}

const recall = (open: Question): Act[] => (open.forward === undefined || open.passedTo === undefined ? [] : [{ act: 'recall', child: open.forward, question: open, from: open.passedTo }])

/** Looks at the clock. */
export function due(questions: Questions, now: number): Next {
  let next = nothing(questions)
  for (const { id } of questions.open) {
    const open = find(next.questions, id)
    const past = open?.moments.filter(({ at }) => at <= now) ?? []
    if (open === undefined || past.length === 0) continue
    const then = happen(next.questions, { ...open, moments: open.moments.filter(({ at }) => at > now) }, past, now)
    next = { questions: then.questions, acts: [...next.acts, ...then.acts] }
  }
  return next
}

function happen(questions: Questions, open: Question, past: readonly Moment[], now: number): Next {
  if (past.some(({ what }) => what === 'expire')) return expire(questions, open, now)
  const pass = past.findLast((moment) => moment.what === 'pass')
  if (pass !== undefined) return passOn(questions, open, pass.to, now)
  // Whom it was passed to has reminders of their own.
  if (open.passedTo !== undefined) return nothing(replace(questions, open))
  const reminded = { ...open, reminded: open.reminded + 1 }
  return { questions: replace(questions, reminded), acts: [{ act: 'news', type: 'reminded', question: view(reminded) }] }
}

function expire(questions: Questions, open: Question, now: number): Next {
  if (open.otherwise !== undefined) return settle(questions, open, outcomeOf(open, { how: 'expired', at: now }, open.otherwise), now)
  const acts = open.askers.map((to): Act => ({ act: 'refuse', to, error: expired(open.id, now) }))
  return close(questions, open, { id: open.id, kind: open.kind, how: 'expired', at: now }, acts)
}

function passOn(questions: Questions, open: Question, to: Address, now: number): Next {
  const forwarded = questions.forwarded + 1
  const passed = { ...open, passedTo: to, forward: `forward.${forwarded}` }
  return { questions: { ...replace(questions, passed), forwarded }, acts: [...recall(open), { act: 'forward', child: passed.forward, question: passed, to, now }, { act: 'news', type: 'delegated', question: view(passed) }] }
}

export function delegate(questions: Questions, { id, to, from }: { readonly id: string; readonly to: Address; readonly from: ReturnAddress }, now: number): Next {
  const open = find(questions, id)
  if (open === undefined) return refused(questions, from, gone(id, questions.settled.find((each) => each.id === id)))
  const next = passOn(questions, open, to, now)
  return { ...next, acts: [...next.acts, { act: 'answer', to: from, value: view(find(next.questions, id) as Question) }] }
}

/** What came of a question that was passed on: its outcome, or that it is this person's again. */
export function passed(questions: Questions, child: string, came: { readonly outcome: Outcome } | { readonly reason: string }, now: number): Next {
  const open = questions.open.find(({ forward }) => forward === child)
  if (open === undefined) return nothing(questions)
  const { passedTo: _, forward: __, ...mine } = open
  if ('outcome' in came) return settle(questions, mine, { ...came.outcome, id: open.id }, now)
  return { questions: replace(questions, mine), acts: [{ act: 'news', type: 'returned', question: view(mine), reason: came.reason }] }
}

export function withdraw(questions: Questions, id: string, now: number): Next {
  const open = find(questions, id)
  if (open === undefined) return nothing(questions)
  const error = new TroupeError('Cancelled', `question ${id} was withdrawn`, 'details.reason tells a wish from a shutdown', { reason: 'caller' })
  return close(questions, open, { id, kind: open.kind, how: 'withdrawn', at: now }, open.askers.map((to): Act => ({ act: 'refuse', to, error })))
}

/** An asker no longer waits: `wished`, or since it had no more time or failed, and may come back for what it named. */
export function left(questions: Questions, { ask }: ReturnAddress, wished: boolean, now: number): Next {
  const open = questions.open.find(({ askers }) => askers.some((each) => each.ask === ask))
  if (open === undefined) return nothing(questions)
  const askers = open.askers.filter((each) => each.ask !== ask)
  return askers.length === 0 && (wished || !open.named) ? withdraw(replace(questions, { ...open, askers }), open.id, now) : nothing(replace(questions, { ...open, askers }))
}

const otherKind = (id: string, kind: Question['kind']): TroupeError => new TroupeError('InvalidMessage', `question ${id} wants ${kind === 'approve' ? 'a yes or a no' : 'an answer'}`, kind === 'approve' ? 'ask with approve, say with decide' : 'ask with answer, say with reply', { id })
const expired = (id: string, at: number): TroupeError => new TroupeError('DeadlineExceeded', `nobody decided question ${id} before it expired`, 'ask with more time, a delegate, or what holds `otherwise`', { id, at })

function gone(id: string, settled: Settled | undefined): TroupeError {
  if (settled === undefined) return new TroupeError('Gone', `no question ${id} waits for this person`, 'list tells which do', { id, reason: 'unknown' })
  const { how, by, at } = settled
  return new TroupeError('Gone', `question ${id} was ${how === 'decided' ? `decided by ${by ?? 'somebody'}` : how}`, 'nothing is left to decide', { id, reason: how, at, ...(by !== undefined && { by }) })
}
