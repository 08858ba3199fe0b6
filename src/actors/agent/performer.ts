import { actor, type Me } from '../../runtime/index.js'
import type { HandlerLogic, Invocable } from '../../runtime/index.js'
import { TroupeError } from '../../ground/errors.js'
import { passes } from './passing.js'
import { Agent, type AgentChunk, type AgentOutcome, type AgentTask } from './protocol.js'

/** How a task is worked on: every chunk in order, `done` last. */
export type Perform<State> = (task: AgentTask, me: Me<(typeof Agent)['specs'], State>) => AsyncIterable<AgentChunk>

/** A run that fails fails alone: a restart would take along what its actor works on beside it, and the conversation that it keeps. */
const ALONE = { onFailure: 'resume' } as const

/**
 * An error that is told as such has been judged where it arose, and a durable run would meet it once more: what nobody
 * foresaw is worth another try, and what says that it passes.
 */
const worthAnotherTry = (error: unknown): boolean => !(error instanceof TroupeError) || passes(error)

/** An actor of the agent's protocol out of one generator: `run` streams it, `answer` gives its end. */
export function performer<State = undefined>(perform: Perform<State>, options: Omit<HandlerLogic<(typeof Agent)['specs'], State>, 'on'> = {}): Invocable<(typeof Agent)['specs']> {
  return actor(Agent, {
    supervise: ALONE,
    ...(options.retries === undefined && { retryWhen: worthAnotherTry }),
    ...options,
    on: {
      run: (message, me) => perform(taskOf(message), me),
      answer: (message, me) => outcomeOf(perform(taskOf(message), me)),
    },
  })
}

/** The message without its name, so that it can be handed on under another. */
function taskOf(message: AgentTask & { readonly type: string }): AgentTask {
  const task: AgentTask & { type?: string } = { ...message }
  delete task.type
  return task
}

/** Reads a run to its end. */
export async function outcomeOf(chunks: AsyncIterable<AgentChunk>): Promise<AgentOutcome> {
  let last: AgentChunk | undefined
  for await (const chunk of chunks) last = chunk
  if (last?.kind !== 'done') throw new TroupeError('ActorFailed', 'the run ended without an outcome', 'yield a chunk of kind done at the end')
  return outcomeIn(last)
}

export function outcomeIn(chunk: AgentChunk & { readonly kind: 'done' }): AgentOutcome {
  const outcome: AgentOutcome & { kind?: 'done' } = { ...chunk }
  delete outcome.kind
  return outcome
}
