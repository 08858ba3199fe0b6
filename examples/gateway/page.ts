/** The page at `/`, and the client that it loads, as a face of their own: open to anybody, since all that they can do needs the key. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { TroupeError } from 'troupe'
import type { Answer, Face } from 'troupe/actors'

const PAGE = new URL('./page/', import.meta.url)
/** A browser loads the client as it was built: plain modules, without a bundler. */
const BUILT = new URL('../', pathToFileURL(createRequire(import.meta.url).resolve('troupe/client')))
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript' }
const headers = { 'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'", 'cache-control': 'no-cache' }

const missing = (path: string): TroupeError => new TroupeError('NoSuchActor', `nothing is served at ${path}`, 'the page is at /')

/** Only names of files are let through, never paths. */
function fileAt(path: string): URL {
  const [, inPage, inBuilt] = /^\/(?:page\/(desk\.(?:css|js))|troupe\/((?:client|ground|runtime)\/[\w-]+\.js))$/.exec(path) ?? []
  if (inPage !== undefined) return new URL(inPage, PAGE)
  if (inBuilt !== undefined) return new URL(inBuilt, BUILT)
  throw missing(path)
}

async function serve(file: URL): Promise<Answer> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw missing(file.pathname.split('/').at(-1) ?? '')
  })
  return { kind: 'text', type: `${TYPES[extname(file.pathname)]}; charset=utf-8`, text, headers }
}

export const page: Face = {
  routes: () => [
    { method: 'GET', path: '/', open: true, handle: () => serve(new URL('index.html', PAGE)) },
    { method: 'GET', path: '/page/*', open: true, handle: ({ path }) => serve(fileAt(path)) },
    { method: 'GET', path: '/troupe/*', open: true, handle: ({ path }) => serve(fileAt(path)) },
  ],
}
