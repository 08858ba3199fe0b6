// Compiles src to dist and examples to dist-examples, and copies what the compiler does not: model weights, pages.
//
//   node build.mjs            builds what changed since the last build, and nothing when nothing changed
//   node build.mjs --quiet    the same, but says so on stderr: for `npm start`
//   node build.mjs --force    builds from nothing
//
// Several builds may run at once, beside running tests: a lock lets one work while the others wait and then find
// that nothing is left to do, and each file is written whole, then renamed into place.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, extname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('.', import.meta.url))
const dist = join(root, 'dist')
const distExamples = join(root, 'dist-examples')
const stamp = join(dist, '.built')
const lock = join(dist, '.lock')
const buildInfo = join(dist, '.tsbuildinfo')
const quiet = process.argv.includes('--quiet')
const force = process.argv.includes('--force')

const filesIn = (folder) =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
        .toSorted()
    : []

/** Changes whenever a source is added, removed or touched. */
function fingerprint() {
  const hash = createHash('sha1').update(process.version)
  const settings = ['build.mjs', 'package.json', 'tsconfig.json', 'tsconfig.build.json'].map((name) => join(root, name))
  for (const file of [...settings, ...filesIn(join(root, 'src')), ...filesIn(join(root, 'examples'))]) {
    const { mtimeMs, size } = statSync(file)
    hash.update(`${relative(root, file)} ${mtimeMs} ${size}\n`)
  }
  return hash.digest('hex')
}

const isFresh = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint()

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (failure) {
    return failure.code === 'EPERM'
  }
}

/** Waits until no other build runs; the lock of a build that was killed is taken over. */
function takeLock() {
  mkdirSync(dist, { recursive: true })
  for (;;) {
    try {
      return writeFileSync(lock, String(process.pid), { flag: 'wx' })
    } catch (failure) {
      if (failure.code !== 'EEXIST') throw failure
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
    try {
      const owner = Number(readFileSync(lock, 'utf8'))
      const abandoned = owner > 0 ? !isAlive(owner) : Date.now() - statSync(lock).mtimeMs > 10_000
      if (abandoned) rmSync(lock, { force: true })
    } catch (failure) {
      if (failure.code !== 'ENOENT') throw failure
    }
  }
}

/** Writes the whole file or nothing, and leaves an equal one alone. */
function put(path, content) {
  const bytes = Buffer.from(content)
  if (existsSync(path) && statSync(path).size === bytes.length && readFileSync(path).equals(bytes)) return
  mkdirSync(dirname(path), { recursive: true })
  const partial = `${path}.${process.pid}.partial`
  writeFileSync(partial, bytes)
  renameSync(partial, path)
}

function removeAllBut(expected, folder) {
  for (const file of filesIn(folder)) if (!expected.has(file)) rmSync(file)
}

/** Compiles src; returns whether it had no errors. Files are written all the same, so that a test can be tried. */
function compileSources(ts) {
  const config = ts.getParsedCommandLineOfConfigFile(join(root, 'tsconfig.build.json'), {}, { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} })
  const outputs = config.fileNames.flatMap((file) => ts.getOutputFileNames(config, file, false)).map((file) => resolve(file))
  if (force || outputs.some((file) => !existsSync(file))) rmSync(buildInfo, { force: true })

  const host = ts.createIncrementalCompilerHost(config.options)
  host.writeFile = (path, text) => put(resolve(path), text)
  const program = ts.createIncrementalProgram({ rootNames: config.fileNames, options: config.options, host })
  const problems = [
    ...config.errors,
    ...program.getConfigFileParsingDiagnostics(),
    ...program.getOptionsDiagnostics(),
    ...program.getSyntacticDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...program.getSemanticDiagnostics(),
    ...program.emit().diagnostics,
  ]
  process.stderr.write(ts.formatDiagnostics(problems, { getCanonicalFileName: (name) => name, getCurrentDirectory: () => root, getNewLine: () => '\n' }))

  const weights = filesIn(join(root, 'src/models/embedded'))
  for (const file of weights) put(join(dist, relative(join(root, 'src'), file)), readFileSync(file))
  removeAllBut(new Set([...outputs, ...weights.map((file) => join(dist, relative(join(root, 'src'), file))), buildInfo, stamp, lock]), dist)
  return problems.length === 0
}

/** Examples are checked by `npm run check`; here each file only loses its types, and their pages come along. */
function stripExamples(ts) {
  const expected = new Set()
  for (const file of filesIn(join(root, 'examples'))) {
    const isSource = extname(file) === '.ts'
    const target = join(distExamples, relative(join(root, 'examples'), file)).replace(/\.ts$/, '.js')
    const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true, experimentalDecorators: true, inlineSourceMap: true, inlineSources: true }
    put(target, isSource ? ts.transpileModule(readFileSync(file, 'utf8'), { compilerOptions, fileName: relative(dirname(target), file) }).outputText : readFileSync(file))
    expected.add(target)
  }
  removeAllBut(expected, distExamples)
}

async function build() {
  takeLock()
  try {
    if (!force && isFresh()) return
    if (quiet) process.stderr.write('building troupe …\n')
    const { default: ts } = await import('typescript')
    const before = fingerprint()
    stripExamples(ts)
    if (compileSources(ts)) put(stamp, before)
    else process.exitCode = 1
  } finally {
    rmSync(lock, { force: true })
  }
}

if (force || !isFresh()) await build()
