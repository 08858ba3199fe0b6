import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../house/tree.js'

export interface Ended {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Our own settings reach a script through npm's variables; a consumer has none of them. */
const strangersEnv = (): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(config_(onnxruntime|omit|local)|package|lifecycle|command|execpath)|^NODE_/.test(name))),
  ONNXRUNTIME_NODE_INSTALL: 'skip',
  NO_COLOR: '1',
})

export const runIn = (folder: string, command: string, args: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(command, args, { cwd: folder, env: strangersEnv(), timeout: 240_000, maxBuffer: 64 * 2 ** 20 }, (failure, stdout, stderr) => {
      resolve({ status: failure === null ? 0 : Number(failure.code ?? 1), stdout, stderr })
    })
  })

export interface Tarball {
  readonly path: string
  readonly bytes: number
  readonly unpackedBytes: number
  readonly files: readonly string[]
}

/** Packs this repository as for the registry. */
export async function pack(into: string): Promise<Tarball> {
  const packed = await runIn(root, 'npm', ['pack', '--json', '--silent', '--pack-destination', into])
  if (packed.status !== 0) throw new Error(`npm pack failed\n${packed.stdout}${packed.stderr}`)
  // What the build says on the way comes before the list.
  const answer = JSON.parse(packed.stdout.slice(packed.stdout.search(/^[[{]/m))) as { filename: string; size: number; unpackedSize: number; files: { path: string }[] }[]
  const [tarball] = Array.isArray(answer) ? answer : (Object.values(answer) as typeof answer)
  if (!tarball) throw new Error(`npm pack told of no tarball\n${packed.stdout}`)
  return { path: join(into, tarball.filename), bytes: tarball.size, unpackedBytes: tarball.unpackedSize, files: tarball.files.map(({ path }) => path) }
}

/** A folder for one test file, gone after it. */
export function workplace(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'troupe-package-'))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** Someone else's project, with the tarball installed in it. */
export class Consumer {
  readonly #folder: string
  private constructor(folder: string) {
    this.#folder = folder
  }

  static async install(folder: string, tarball: Tarball, ...options: string[]): Promise<Consumer> {
    mkdirSync(folder)
    writeFileSync(join(folder, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }')
    const installed = await runIn(folder, 'npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock', ...options, tarball.path])
    if (installed.status !== 0) throw new Error(`npm install failed\n${installed.stdout}${installed.stderr}`)
    // The types of Node, unless a dependency brought them; nothing of ours reaches the project otherwise.
    mkdirSync(join(folder, 'node_modules/@types'), { recursive: true })
    const consumer = new Consumer(folder)
    if (!consumer.has('@types/node')) symlinkSync(join(root, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'))
    writeFileSync(join(folder, 'record.mjs'), RECORDER)
    return consumer
  }

  has(name: string): boolean {
    return existsSync(join(this.#folder, 'node_modules', name))
  }

  /** Runs a module in the project. */
  run(code: string): Promise<Ended> {
    return runIn(this.#folder, process.execPath, ['--input-type=module', '--eval', code])
  }

  /** Everything that a module made Node load: modules of either kind, and native libraries. */
  async loadedBy(code: string): Promise<string[]> {
    const ended = await runIn(this.#folder, process.execPath, ['--import', './record.mjs', '--input-type=module', '--eval', `${code}\n${REPORT}`])
    if (ended.status !== 0) throw new Error(`failed: ${code}\n${ended.stderr}`)
    return ended.stdout.split('\n').flatMap((line) => /^loaded: (.*)/.exec(line)?.[1] ?? [])
  }

  bin(...args: string[]): Promise<Ended> {
    return runIn(this.#folder, join(this.#folder, 'node_modules/.bin/troupe'), args)
  }

  /** Checks a module with strict settings, library files included; `exact` adds the one setting that XState's own files fail. */
  compile(code: string, { exact = false } = {}): Promise<Ended> {
    const compilerOptions = { target: 'ES2023', module: 'NodeNext', moduleResolution: 'NodeNext', lib: ['ES2023', 'ESNext.Disposable'], types: ['node'], strict: true, exactOptionalPropertyTypes: exact, noUncheckedIndexedAccess: true, skipLibCheck: false, noEmit: true }
    writeFileSync(join(this.#folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }))
    writeFileSync(join(this.#folder, 'consumer.ts'), code)
    return runIn(this.#folder, process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'])
  }
}

const HOOK = `
import { writeSync } from 'node:fs'
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context)
  writeSync(1, 'loaded: ' + found.url + '\\n')
  return found
}`

const RECORDER = `import { register } from 'node:module'\nregister('data:text/javascript,' + ${JSON.stringify(encodeURIComponent(HOOK))})\n`

const REPORT = `
import { createRequire } from 'node:module'
for (const path of [...Object.keys(createRequire(import.meta.url).cache), ...process.report.getReport().sharedObjects]) console.log('loaded: ' + path)`
