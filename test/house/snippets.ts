import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { root } from './tree.js'
import type { SourceFile } from './tree.js'

/** A piece of code that a page shows. */
export interface Snippet {
  readonly path: string
  /** The line of the page on which the code starts. */
  readonly line: number
  readonly language: 'ts' | 'js'
  readonly code: string
  readonly run: boolean
  /** It goes on where the snippet before it on the page ended. */
  readonly continues: boolean
  /** What it prints, with `…` for any text within a line. */
  readonly output?: string
}

/** Snippets that run as one program: one that starts afresh, and those that continue it. */
export type Chain = readonly Snippet[]

const WORDS = new Set(['no-run', 'continues'])

/** The comments of a source file, without their stars, line by line where they stand. */
const commentsOf = (text: string): string =>
  text
    .split('\n')
    .map((line) => /^\s*(?:\/\*\*|\*(?!\/))( ?.*?)(?:\*\/)?$/.exec(line)?.[1]?.replace(/^ /, '') ?? '')
    .join('\n')

/** The snippets of a page, or of the comments of a source file, in their order. */
export function snippetsOf({ path, text }: SourceFile): Snippet[] {
  const found: Snippet[] = []
  let open: { info: string; indent: string; line: number; lines: string[] } | undefined
  for (const [index, line] of (path.endsWith('.ts') ? commentsOf(text) : text).split('\n').entries()) {
    const fence = /^(\s*)```\s*(.*)$/.exec(line)
    if (open === undefined) {
      if (fence) open = { info: (fence[2] as string).trim(), indent: fence[1] as string, line: index + 2, lines: [] }
    } else if (fence && fence[2] === '') {
      close(open, path, found)
      open = undefined
    } else open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line.trimStart())
  }
  if (open) throw new Error(`${path}:${open.line - 1} opens a code block that never ends`)
  return found
}

function close(block: { info: string; line: number; lines: string[] }, path: string, found: Snippet[]): void {
  const [language, ...words] = block.info.split(/\s+/)
  const code = block.lines.join('\n')
  const last = found.at(-1)
  if (language === 'text' && words[0] === 'output') {
    if (!last || last.output !== undefined) throw new Error(`${path}:${block.line - 1} shows an output, but of which snippet?`)
    found[found.length - 1] = { ...last, output: code }
  }
  if (language !== 'ts' && language !== 'js') return
  const unknown = words.find((word) => !WORDS.has(word))
  if (unknown !== undefined) throw new Error(`${path}:${block.line - 1} marks a snippet "${unknown}"; known are ${[...WORDS].join(', ')}`)
  found.push({ path, line: block.line, language, code, run: !words.includes('no-run'), continues: words.includes('continues') })
}

/** Snippets gathered into programs. */
export function chainsOf(snippets: readonly Snippet[]): Chain[] {
  const chains: Snippet[][] = []
  for (const snippet of snippets) {
    const last = chains.at(-1)
    if (!snippet.continues) chains.push([snippet])
    else if (last?.[0]?.path === snippet.path) last.push(snippet)
    else throw new Error(`${snippet.path}:${snippet.line - 1} continues a snippet, but none is before it`)
  }
  return chains
}

/** The problems that the compiler has with the chains, under the settings of this repository, each at its place on its page. */
export function problemsOf(chains: readonly Chain[]): string[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as { config: unknown }
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  // A page may name a thing and leave it at that; and a snippet without an import is a module all the same.
  Object.assign(options, { noUnusedLocals: false, noUnusedParameters: false, noEmit: true, allowJs: true, checkJs: true, moduleDetection: ts.ModuleDetectionKind.Force })
  const programs = new Map(chains.map((chain, index) => [join(root, `snippet-${index}.${chain[0]?.language ?? 'ts'}`), chain]))
  const codeAt = (path: string): string | undefined => programs.get(path)?.map(({ code }) => code).join('\n')
  const disk = ts.createCompilerHost(options)
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (path) => programs.has(path) || disk.fileExists(path),
    readFile: (path) => codeAt(path) ?? disk.readFile(path),
    getSourceFile: (path, settings, ...rest) => {
      const code = codeAt(path)
      return code === undefined ? disk.getSourceFile(path, settings, ...rest) : ts.createSourceFile(path, code, settings, true)
    },
  }
  const program = ts.createProgram([...programs.keys()], options, host)
  return [...programs].flatMap(([path, chain]) => {
    const file = program.getSourceFile(path)
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map((each) => {
      const line = each.file && each.start !== undefined ? each.file.getLineAndCharacterOfPosition(each.start).line : 0
      return `${placeOf(chain, line)} ${ts.flattenDiagnosticMessageText(each.messageText, ' ')}`
    })
  })
}

/** Where on its page the line of a chain stands. */
function placeOf(chain: Chain, line: number): string {
  let left = line
  for (const { path, line: first, code } of chain) {
    const lines = code.split('\n').length
    if (left < lines) return `${path}:${first + left}`
    left -= lines
  }
  return chain[0]?.path ?? ''
}

/** Printed between the snippets of a chain, to tell their outputs apart. */
const SEAM = '\u0001seam\u0001'

/** Runs a chain as a program of its own in an empty project with our dependencies; what each snippet of it printed. */
export async function run(chain: Chain): Promise<string[]> {
  const project = mkdtempSync(join(realpathSync(tmpdir()), 'troupe-snippet-'))
  try {
    linkDependencies(join(project, 'node_modules'))
    const code = chain.map((snippet) => snippet.code).join(`\nconsole.log(${JSON.stringify(SEAM)})\n`)
    const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true, inlineSourceMap: true }
    writeFileSync(join(project, 'snippet.mjs'), ts.transpileModule(code, { compilerOptions }).outputText)
    const printed = await nodeIn(project)
    return printed.split(`${SEAM}\n`).map((part) => part.trimEnd())
  } finally {
    rmSync(project, { recursive: true, force: true })
  }
}

const nodeIn = (project: string): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(process.execPath, ['snippet.mjs'], { cwd: project, timeout: 60_000, env: { ...process.env, NO_COLOR: '1' } }, (failure, stdout, stderr) => {
      if (failure) reject(new Error(`${failure.killed ? 'did not end within a minute' : failure.message}\n${stdout}${stderr}`))
      else resolve(stdout)
    })
  })

function linkDependencies(modules: string): void {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, Record<string, string> | undefined>
  const names = ['dependencies', 'optionalDependencies', 'devDependencies'].flatMap((kind) => Object.keys(manifest[kind] ?? {}))
  for (const name of names) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), join(modules, name))
  }
  symlinkSync(root, join(modules, 'troupe'))
}

/** Whether something printed is what a page shows, where `…` stands for any text within a line. */
export function isAsShown(printed: string, shown: string): boolean {
  const parts = shown.trimEnd().split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
  return new RegExp(`^${parts.join('.*')}$`).test(printed)
}
