// A site as its owner would serve it: a page that loads the built client and zod as plain modules.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, normalize } from 'node:path'
import ts from 'typescript'
import { root } from '../house/tree.js'

const PAGE = `<!doctype html><meta charset="utf-8"><title>A visitor</title>
<script type="importmap">{ "imports": { "troupe/client": "/dist/client/index.js", "zod": "/node_modules/zod/index.js" } }</script>
<script type="module">import * as visitor from '/test/browser/visitor.js'; globalThis.visitor = visitor</script>`
const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true }

/** A script of the package, of zod, or of the tests, which only loses its types. */
async function scriptAt(path: string): Promise<string | undefined> {
  const file = join(root, normalize(path))
  if (path.startsWith('/test/')) return ts.transpileModule(await readFile(file.replace(/\.js$/, '.ts'), 'utf8'), { compilerOptions }).outputText
  return path.startsWith('/dist/') || path.startsWith('/node_modules/zod/') ? readFile(file, 'utf8') : undefined
}

export interface Site {
  /** The same site under two names, which are two origins to a browser. */
  readonly origin: string
  readonly otherOrigin: string
  close(): Promise<void>
}

export async function openSite(): Promise<Site> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site')
    const answer = (status: number, type: string, text = ''): void => void response.writeHead(status, { 'content-type': type }).end(text)
    if (pathname === '/') return answer(200, 'text/html; charset=utf-8', PAGE)
    scriptAt(pathname).then(
      (text) => answer(text === undefined ? 404 : 200, 'text/javascript; charset=utf-8', text),
      () => answer(404, 'text/plain'),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { origin: `http://127.0.0.1:${port}`, otherOrigin: `http://localhost:${port}`, close }
}
