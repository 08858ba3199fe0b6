/** Tools of an MCP server, over stdio or HTTP. One of the doors to @modelcontextprotocol/sdk. */
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { TroupeError } from '../../runtime/index.js'
import { describe } from '../../ground/errors.js'
import { MCP_PAGES_MAX } from './limits.js'
import { toolOf, type Tool, type ToolManner, type ToolSource, type ToolWork } from './tool.js'
import { unlessAborted } from './unless-aborted.js'

interface McpManner extends Omit<ToolManner, 'approve'> {
  /** For errors, and before the name of each tool when `prefix` is true. */
  readonly name: string
  /** Which tools; all that the server lists otherwise. */
  readonly only?: readonly string[]
  /** Names as `<name>_<tool>`, so that two servers' tools do not clash. Default false. */
  readonly prefix?: boolean
  /** Tools that a person is asked about first: all, or these. */
  readonly approve?: boolean | readonly string[]
}
export type McpOptions = McpManner &
  (
    | { /** A program that speaks MCP on its stdin and stdout. */ readonly command: string; readonly args?: readonly string[]; readonly env?: Readonly<Record<string, string>>; readonly cwd?: string }
    | { /** A server's endpoint (streamable HTTP). */ readonly url: string; readonly headers?: Readonly<Record<string, string>> }
  )

/** The tools of an MCP server, listed when an agent first runs; the connection ends with the last agent that uses it. */
export function mcpTools(options: McpOptions): ToolSource {
  let line: Line | undefined
  const users = new Set<object>()
  const begin = (): Line => {
    // Of the connection alone: whoever wanted it first may leave, and others have it still.
    const off = new AbortController()
    const forget = (): void => {
      if (line === begun) line = undefined
    }
    const opened = connect(options, forget, off.signal)
    const begun: Line = { opened, off }
    // A server that was out of reach may be back the next time.
    opened.catch(forget)
    return begun
  }
  return {
    name: options.name,
    open: async (signal, user) => {
      users.add(user)
      const { opened } = (line ??= begin())
      return (await unlessAborted(signal, () => opened)).tools
    },
    close: async (user) => {
      if (!users.delete(user) || users.size > 0) return
      const was = line
      line = undefined
      was?.off.abort(new TroupeError('Cancelled', `nobody uses the MCP server ${options.name} any more`, 'nothing is left to do', { reason: 'shutting-down' }))
      await (await was?.opened.catch(() => undefined))?.client.close()
    },
  }
}

interface Line {
  readonly opened: Promise<{ readonly client: Client; readonly tools: readonly Tool[] }>
  readonly off: AbortController
}

async function connect(options: McpOptions, onClose: () => void, signal: AbortSignal): Promise<{ client: Client; tools: readonly Tool[] }> {
  const { Client, transport } = await load(options)
  const client = new Client({ name: 'troupe', version: '0.1.0' })
  try {
    await client.connect(transport, { signal })
    const tools = await list(client, options, signal)
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the client is no event target
    client.onclose = onClose
    return { client, tools }
  } catch (cause) {
    await client.close().catch(() => undefined)
    throw new TroupeError('Gone', `the MCP server ${options.name} cannot be used: ${describe(cause)}`, 'check its command or url, and that it speaks MCP', { server: options.name }, cause)
  }
}

async function list(client: Client, { name, only, prefix = false, approve = false, ...manner }: McpOptions, signal: AbortSignal): Promise<Tool[]> {
  const tools: Tool[] = []
  let cursor: string | undefined
  for (let page = 0; page < MCP_PAGES_MAX; page++) {
    const listed = await client.listTools(cursor === undefined ? {} : { cursor }, { signal })
    for (const { name: its, description, inputSchema } of listed.tools) {
      if (!(only?.includes(its) ?? true)) continue
      const spec = { name: prefix ? `${name}_${its}` : its, parameters: inputSchema, ...(description !== undefined && { description }) }
      const { timeout, onError } = manner
      tools.push(toolOf(spec, asObject, { kind: 'run', run: (input, work) => called(client, its, input, work) }, { approve: typeof approve === 'boolean' ? approve : approve.includes(its), ...(timeout !== undefined && { timeout }), ...(onError !== undefined && { onError }) }))
    }
    cursor = listed.nextCursor
    if (cursor === undefined) break
  }
  return tools
}

/** The server checks the rest, against its own schema. */
const asObject = (input: unknown): string | undefined => (typeof input === 'object' && input !== null && !Array.isArray(input) ? undefined : 'input: expected an object')

/** The agent's own timeout holds, so the client's is put out of its way. */
const DAY_MS = 86_400_000

async function called(client: Client, name: string, input: unknown, { signal, idempotencyKey }: ToolWork): Promise<unknown> {
  const params = { name, arguments: input as Record<string, unknown>, _meta: { 'troupe/idempotency-key': idempotencyKey } }
  const result = await client.callTool(params, undefined, { signal, timeout: DAY_MS })
  const content = result.content as readonly { readonly type: string; readonly text?: string; readonly mimeType?: string }[]
  const text = content.map(({ type, text, mimeType }) => text ?? `[${type} ${mimeType ?? ''}]`).join('\n')
  if (result.isError === true) throw new Error(text)
  return result.structuredContent ?? text
}

async function load(options: McpOptions): Promise<{ Client: typeof Client; transport: Transport }> {
  try {
    const { Client } = await import('@modelcontextprotocol/sdk/client/index.js')
    if ('url' in options) {
      const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/sdk/client/streamableHttp.js')
      return { Client, transport: new StreamableHTTPClientTransport(new URL(options.url), { requestInit: { headers: { ...options.headers } } }) }
    }
    const { StdioClientTransport, getDefaultEnvironment } = await import('@modelcontextprotocol/sdk/client/stdio.js')
    const { command, args = [], env = {}, cwd } = options
    return { Client, transport: new StdioClientTransport({ command, args: [...args], env: { ...getDefaultEnvironment(), ...env }, ...(cwd !== undefined && { cwd }) }) }
  } catch (cause) {
    throw new TroupeError('MissingDependency', `tools of MCP servers need @modelcontextprotocol/sdk, which could not be loaded: ${describe(cause)}`, 'npm install @modelcontextprotocol/sdk', { dependency: '@modelcontextprotocol/sdk' }, cause)
  }
}
