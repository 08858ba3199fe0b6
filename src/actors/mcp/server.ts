/** Chosen actors as an MCP server: on stdin and stdout, or as a face of a gateway. */
import type { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { TroupeError, asTroupeError, describe } from '../../ground/errors.js'
import type { Answer, Call, Face, House, Route } from '../gateway/face.js'
import { problemOf } from '../gateway/statuses.js'
import { jsonOf } from '../ai-sdk/specification.js'
import { offersOf, type Offered, type OfferedActor } from './offer.js'

export interface McpServerOptions {
  readonly name: string
  /** Default 1.0.0. */
  readonly version?: string
  /** For the model: what these tools are for. */
  readonly instructions?: string
  /** Whose requests are tools; each is called by its actor's kind, `_` and its own name unless `prefix` says otherwise. */
  readonly actors: readonly OfferedActor[]
}

/** In a scope, the face's address; its message types are the names of tools. */
const MCP = '/mcp'

/**
 * For `gateway({ faces: [mcp({ … })] })`: streamable HTTP at `/mcp`, without sessions, so that any gateway may answer.
 * A caller sees and calls the tools that its key allows. Needs `@modelcontextprotocol/sdk`.
 */
export function mcp(options: McpServerOptions): Face {
  // What is wrong with them is known before a gateway opens.
  offersOf(options.actors)
  const routes = ({ from, meter }: House): Route[] => {
    const offers = offersOf(options.actors.map((offered) => ({ ...offered, ref: offered.ref.sentBy(from) })))
    return [
      {
        method: 'POST',
        path: MCP,
        handle: (call) => {
          meterBatch(call, meter)
          return { kind: 'raw', run: (request, response) => answer(options, offers, call, request, response) }
        },
      },
      // Nothing is pushed to a client that did not ask.
      { method: 'GET', path: MCP, handle: (): Answer => notAllowed },
      { method: 'DELETE', path: MCP, handle: (): Answer => notAllowed },
    ]
  }
  return { routes }
}

const notAllowed: Answer = { kind: 'json', status: 405, headers: { allow: 'POST' }, body: { jsonrpc: '2.0', id: null, error: { code: -32_000, message: 'only POST is served here' } } }

/** One request over HTTP may carry many of MCP: each after the first counts as another. */
function meterBatch({ body, caller }: Call, meter: House['meter']): void {
  for (let more = Array.isArray(body) ? body.length - 1 : 0; more > 0; more--) {
    const metered = meter(caller)
    if (metered !== undefined) throw metered
  }
}

async function answer(options: McpServerOptions, offers: ReadonlyMap<string, Offered>, call: Call, ...[request, response]: Parameters<Extract<Answer, { kind: 'raw' }>['run']>): Promise<void> {
  const { StreamableHTTPServerTransport } = await load(() => import('@modelcontextprotocol/sdk/server/streamableHttp.js'))
  const allowed = new Map([...offers].filter(([name]) => call.caller.may(MCP, name)))
  const server = await serverOf(options, allowed, (name) => {
    call.asks(name)
    call.allow(MCP, name)
  })
  const transport = new StreamableHTTPServerTransport({})
  response.on('close', () => void server.close())
  await server.connect(transport)
  await transport.handleRequest(request, response, call.body)
}

/** Speaks MCP on this process's stdin and stdout until the other side leaves; `closed` resolves then. Nothing else may write to stdout. */
export async function mcpOnStdio(options: McpServerOptions): Promise<{ readonly closed: Promise<void>; readonly close: () => Promise<void> }> {
  const { StdioServerTransport } = await load(() => import('@modelcontextprotocol/sdk/server/stdio.js'))
  const server = await serverOf(options, offersOf(options.actors), () => {})
  const closed = new Promise<void>((resolve) => {
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the server is no event target
    server.onclose = resolve
    process.stdin.once('end', () => void server.close())
  })
  await server.connect(new StdioServerTransport())
  return { closed, close: () => server.close() }
}

async function serverOf({ name, version = '1.0.0', instructions }: McpServerOptions, offers: ReadonlyMap<string, Offered>, check: (tool: string) => void): Promise<Server> {
  const [{ Server }, { CallToolRequestSchema, ListToolsRequestSchema }] = await load(() => Promise.all([import('@modelcontextprotocol/sdk/server/index.js'), import('@modelcontextprotocol/sdk/types.js')]))
  const server = new Server({ name, version }, { capabilities: { tools: {} }, ...(instructions !== undefined && { instructions }) })
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [...offers.values()].map(listed) }))
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal }) => {
    try {
      check(params.name)
      const offer = offers.get(params.name)
      if (offer === undefined) throw new TroupeError('Unhandled', `there is no tool ${JSON.stringify(params.name.slice(0, 80))}`, 'see the list of tools')
      return told(await offer.ask(params.arguments ?? {}, signal))
    } catch (thrown) {
      const { code, message, hint } = problemOf(asTroupeError(thrown))
      return { isError: true, content: [{ type: 'text', text: `${code}: ${message}; ${hint}` }] }
    }
  })
  return server
}

const listed = ({ name, description, parameters }: Offered): { name: string; description?: string; inputSchema: { type: 'object'; [key: string]: unknown } } => ({ name, ...(description !== undefined && { description }), inputSchema: { ...parameters, type: 'object' } })

function told(reply: unknown): { content: { type: 'text'; text: string }[]; structuredContent?: Record<string, unknown> } {
  const json = jsonOf(reply ?? null)
  const content = [{ type: 'text' as const, text: typeof json === 'string' ? json : JSON.stringify(json) }]
  return typeof json === 'object' && !Array.isArray(json) ? { content, structuredContent: json } : { content }
}

function load<T>(parts: () => Promise<T>): Promise<T> {
  return parts().catch((cause: unknown) => {
    throw new TroupeError('MissingDependency', `an MCP server needs @modelcontextprotocol/sdk, which could not be loaded: ${describe(cause)}`, 'npm install @modelcontextprotocol/sdk', { dependency: '@modelcontextprotocol/sdk' }, cause)
  })
}
