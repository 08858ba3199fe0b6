/** An agent of this troupe for others, by A2A 1.0 (JSON-RPC). */
import { TroupeError, describe } from '../../ground/errors.js'
import type { Answer, Call, Face, House, Route } from '../gateway/face.js'
import { cardOf } from './card.js'
import { AgentExecutor } from './executor.js'
import type { AgentFor, AgentRef, Introduction } from './served.js'
import { Tasks } from './tasks.js'

type ServerSdk = typeof import('@a2a-js/sdk/server')
type Handler = import('@a2a-js/sdk/server').JsonRpcTransportHandler

export interface A2aOptions extends Introduction {
  /** Who works on tasks: one agent for all, or, as `troupe.keyed` gives it, one for each conversation of each caller. */
  readonly agent: AgentRef | AgentFor
  /** How others reach the gateway, where that is not how the request says it came. */
  readonly url?: string
}

/** In a scope, the face's address; its message types are A2A's methods. */
const A2A = '/a2a'
const CARD = '/.well-known/agent-card.json'
/** Tasks that may still be asked about, where the oldest is forgotten; so no more may be under way. */
const TASKS_MAX = 1_000

/** For `gateway({ faces: [a2a({ … })] })`. Needs `@a2a-js/sdk`. */
export function a2a(options: A2aOptions): Face {
  const { agent } = options
  const agentFor: AgentFor = typeof agent === 'function' ? agent : () => agent
  const card = (call: Call): Answer => ({ kind: 'json', status: 200, body: cardOf(options, `${options.url ?? `http://${call.headers.host ?? 'localhost'}`}${A2A}`) })
  const routes = ({ from }: House): Route[] => {
    let opened: Promise<Desk> | undefined
    const desk = (): Promise<Desk> => (opened ??= open(options, (conversation) => agentFor(conversation).sentBy(from)))
    return [
      { method: 'GET', path: CARD, handle: card },
      { method: 'POST', path: A2A, handle: async (call) => (await desk())(call) },
    ]
  }
  return { routes }
}

type Desk = (call: Call) => Promise<Answer>

async function open(options: A2aOptions, agentFor: AgentFor): Promise<Desk> {
  const [sdk, server] = await Promise.all([import('@a2a-js/sdk'), import('@a2a-js/sdk/server')]).catch((cause: unknown) => {
    throw new TroupeError('MissingDependency', `serving agents by A2A needs @a2a-js/sdk, which could not be loaded: ${describe(cause)}`, 'npm install @a2a-js/sdk', { dependency: '@a2a-js/sdk' }, cause)
  })
  const card = cardOf(options, A2A)
  const handler = new server.JsonRpcTransportHandler(new server.DefaultRequestHandler(card, new Tasks(TASKS_MAX), new AgentExecutor(sdk, agentFor, TASKS_MAX)))
  return (call) => answer(call, handler, server, (version) => server.validateVersion(version, card, 'JSONRPC'))
}

async function answer(call: Call, handler: Handler, { ServerCallContext, JsonRpcTransportHandler }: ServerSdk, check: (version: string) => void): Promise<Answer> {
  const request = call.body as { readonly id?: unknown; readonly method?: unknown } | undefined
  const method = typeof request?.method === 'string' ? request.method : ''
  call.asks(method)
  call.allow(A2A, method)
  const version = call.headers['a2a-version']
  const context = new ServerCallContext({ user: { isAuthenticated: true, userName: call.caller.name }, ...(typeof version === 'string' && { requestedVersion: version }) })
  const problem = (thrown: unknown): object => ({ jsonrpc: '2.0', id: request?.id ?? null, error: JsonRpcTransportHandler.mapToJSONRPCError(thrown) })
  try {
    check(context.requestedVersion)
    const reply = await handler.handle(request as Record<string, unknown>, context)
    if (!(Symbol.asyncIterator in reply)) return { kind: 'json', status: 200, body: reply }
    const first = await reply.next()
    return {
      kind: 'events',
      run: async (events) => {
        try {
          for (let next = first; next.done !== true && !events.closed; next = await reply.next()) await events.send(next.value)
        } catch (thrown) {
          await events.send(problem(thrown), { event: 'error' })
        } finally {
          await reply.return()
        }
      },
    }
  } catch (thrown) {
    return { kind: 'json', status: 200, body: problem(thrown) }
  }
}
