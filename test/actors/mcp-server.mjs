// The official MCP server, over stdio, or over HTTP when it is given `http`; it prints its port then.
import { createServer } from 'node:http'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { z } from 'zod'

function shop() {
  const server = new McpServer({ name: 'shop', version: '1.0.0' })
  server.registerTool('price', { description: 'The price of an item', inputSchema: { item: z.string() } }, ({ item }) =>
    item === 'dragon' ? { isError: true, content: [{ type: 'text', text: 'no such item' }] } : { content: [{ type: 'text', text: `${item} costs ${item.length}` }] },
  )
  server.registerTool('wait', { inputSchema: {} }, async (_, { signal }) => {
    const tell = (what) => fetch(`${process.env.BEACON}/${what}`)
    await tell('begun')
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    await tell('called-off')
    return { content: [] }
  })
  server.registerTool('who', { inputSchema: {} }, (_, { _meta, requestInfo }) => ({ content: [{ type: 'text', text: `${Object.keys(_meta ?? {}).join()} ${String(requestInfo?.headers['x-key'] ?? '')}` }] }))
  return server
}

if (process.argv[2] === 'http') {
  const http = createServer((request, response) => {
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined })
    void shop().connect(transport).then(() => transport.handleRequest(request, response))
  })
  http.listen(0, '127.0.0.1', () => process.stdout.write(`${http.address().port}\n`))
} else {
  await shop().connect(new StdioServerTransport())
}
