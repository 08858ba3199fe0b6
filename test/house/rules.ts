// The rules of the house, each a pure function from files to findings. `test/tidy.test.ts` applies them and shows that
// each can fail. A finding is one line: where, what, and what to do instead.
import { dirname, join, normalize } from 'node:path/posix'
import ts from 'typescript'
import type { SourceFile } from './tree.js'

export const LINES_PER_FUNCTION_MAX = 60
export const LINES_PER_FILE_MAX = 400

const parse = ({ path, text }: SourceFile): ts.SourceFile => ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, (child) => walk(child, visit))
}

const lineOf = (tree: ts.SourceFile, position: number): number => tree.getLineAndCharacterOfPosition(position).line + 1

/** Everything that a file imports, re-exports, requires or resolves, types included, as written. */
export function importsOf(file: SourceFile): { specifier: string; line: number }[] {
  const tree = parse(file)
  const found: { specifier: string; line: number }[] = []
  const note = (node: ts.Node | undefined): void => {
    if (node && ts.isStringLiteralLike(node)) found.push({ specifier: node.text, line: lineOf(tree, node.getStart()) })
  }
  walk(tree, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) note(node.moduleSpecifier)
    else if (ts.isImportTypeNode(node)) note(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined)
    else if (ts.isCallExpression(node) && loadsAModule(node.expression)) note(node.arguments[0])
  })
  return found
}

function loadsAModule(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true
  return /(^|\.)require(\.resolve)?$|^import\.meta\.resolve$/.test(callee.getText())
}

const packageOf = (specifier: string): string => specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')

/** Sentence 3: each dependency is imported by one file. */
export function doors(files: readonly SourceFile[], table: Readonly<Record<string, string | readonly string[]>>): string[] {
  return files.flatMap((file) =>
    importsOf(file).flatMap(({ specifier, line }) => {
      if (specifier.startsWith('.') || specifier.startsWith('node:')) return []
      const doors = [table[packageOf(specifier)] ?? []].flat()
      if (doors.some((door) => isPath(door, file.path))) return []
      return [`${file.path}:${line} imports ${specifier}; ${doors.length === 0 ? 'name its one door in test/tidy.test.ts' : `its one door is ${doors.join(' or ')}`}`]
    }),
  )
}

/** Whether a path is the pattern's, where `*` stands for one name. */
const isPath = (pattern: string, path: string): boolean => {
  const names = path.split('/')
  const wanted = pattern.split('/')
  return wanted.length === names.length && wanted.every((want, at) => want === '*' || want === names[at])
}

/** Which rooms of src a room may import, itself apart. Files that lie in src itself belong to no room. */
const NEIGHBOURS: Readonly<Record<string, readonly string[]>> = {
  ground: [],
  runtime: ['ground'],
  models: ['ground'],
  actors: ['ground', 'runtime', 'models'],
  testing: ['ground', 'runtime'],
  client: ['ground', 'runtime'],
}

/** The rooms again, for the imports that the linter does not see: `import()` and types by `import('…')`. */
export function rooms(files: readonly SourceFile[]): string[] {
  const roomOf = (path: string): string | undefined => /^src\/([^/]+)\//.exec(path)?.[1]
  return files.flatMap((file) => {
    const room = roomOf(file.path)
    if (room === undefined) return []
    return importsOf(file).flatMap(({ specifier, line }) => {
      const target = specifier.startsWith('.') ? roomOf(normalize(join(dirname(file.path), specifier))) : undefined
      if (target === undefined || target === room || NEIGHBOURS[room]?.includes(target)) return []
      return [`${file.path}:${line} imports ${specifier}; src/${room} may import only ${(NEIGHBOURS[room] ?? []).map((each) => `src/${each}`).join(', ') || 'itself'}`]
    })
  })
}

const CLOCK_WORDS = new Set(['setTimeout', 'setInterval', 'setImmediate', 'performance', 'hrtime', 'randomUUID', 'randomBytes', 'getRandomValues'])
const CLOCK_CALLS = new Set(['Date.now', 'Math.random', 'AbortSignal.timeout', 'process.uptime'])
const CLOCK_MODULES = /^(node:)?(timers(\/promises)?|perf_hooks)$/

/** Sentence 4: time, chance and ids come through the clock. */
export function clockOnly(files: readonly SourceFile[], clock: string): string[] {
  return files
    .filter((file) => file.path !== clock)
    .flatMap((file) => {
      const tree = parse(file)
      const found: string[] = []
      walk(tree, (node) => {
        const word = clockWord(node)
        if (word !== undefined) found.push(`${file.path}:${lineOf(tree, node.getStart())} says ${word}; time and chance come through ${clock}`)
      })
      return found
    })
}

function clockWord(node: ts.Node): string | undefined {
  // Someone else's interface may ask for a member of that name; to declare one is not to call Node's.
  if (ts.isIdentifier(node)) return CLOCK_WORDS.has(node.text) && !isMemberName(node) ? node.text : undefined
  if (ts.isPropertyAccessExpression(node)) return CLOCK_CALLS.has(node.getText()) ? node.getText() : undefined
  if (ts.isNewExpression(node)) return node.expression.getText() === 'Date' && !node.arguments?.length ? 'new Date()' : undefined
  if (ts.isCallExpression(node)) return node.expression.getText() === 'Date' ? 'Date()' : undefined
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) return CLOCK_MODULES.exec(node.moduleSpecifier.text)?.[0]
  return undefined
}

const isMemberName = (word: ts.Identifier): boolean => {
  const { parent } = word
  return (ts.isPropertyAssignment(parent) || ts.isMethodDeclaration(parent) || ts.isPropertySignature(parent) || ts.isMethodSignature(parent)) && parent.name === word
}

/** Sentence 13: a function fits on one screen, a file in one sitting. `functions: false` looks at files alone. */
export function limits(files: readonly SourceFile[], { functions }: { functions: boolean }): string[] {
  return files.flatMap((file) => {
    const tree = parse(file)
    const found: string[] = []
    const length = file.text.trimEnd().split('\n').length
    if (length > LINES_PER_FILE_MAX) found.push(`${file.path} has ${length} lines; a file ends at ${LINES_PER_FILE_MAX}`)
    if (functions) {
      walk(tree, (node) => {
        if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return
        const first = lineOf(tree, node.getStart())
        const lines = lineOf(tree, node.getEnd()) - first + 1
        if (lines > LINES_PER_FUNCTION_MAX) found.push(`${file.path}:${first} is a function of ${lines} lines; a function ends at ${LINES_PER_FUNCTION_MAX}`)
      })
    }
    return found
  })
}

const VAGUE = new Set(['util', 'utils', 'helper', 'helpers', 'type', 'types', 'manager', 'managers'])

/** Sentence 14: a file is called what it does. */
export function fileNames(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const name = path.slice(path.lastIndexOf('/') + 1)
    const vague = name.split(/[-._]/).find((word) => VAGUE.has(word.toLowerCase()))
    return vague === undefined ? [] : [`${path} is called "${vague}"; name the file for what it does`]
  })
}

// Written with brackets, so that this file passes its own rule.
const POSTPONED = /\b(FIX[M]E|TO[D]O|HAC[K]|XX[X])\b/

/** Work that is put off belongs in an issue. */
export function postponed(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const word = POSTPONED.exec(line)?.[1]
      return word === undefined ? [] : [`${path}:${index + 1} says ${word}; file an issue instead`]
    }),
  )
}

/**
 * Sentence 1: the index is the map. A file is on it when the index exports from it, or when a comment names it:
 * `router.ts`, or for a file in a folder `store/lmdb.ts`, or a line that starts with the folder and names its files,
 * such as `store/  memory, lmdb (its door)`. A name with its `.ts` on the map without such a file is a finding too.
 */
export function map(index: SourceFile, paths: readonly string[]): string[] {
  const folder = dirname(index.path)
  const inside = paths.filter((path) => path.startsWith(`${folder}/`) && path !== index.path).map((path) => path.slice(folder.length + 1))
  const exported = importsOf(index)
    .map(({ specifier }) => normalize(specifier).replace(/\.js$/, '.ts'))
    // What it exports from the ground is another floor's.
    .filter((path) => !path.startsWith('..'))
  const comments = index.text.split('\n').flatMap((line) => /(?:\/\/|\/?\*+)(.*)$/.exec(line)?.[1]?.trim() ?? [])
  const named = [...exported, ...comments.flatMap((line) => namesIn(line))]
  const onMap = new Set(named.map((name) => (name.endsWith('.ts') ? name : `${name}.ts`)))
  return [
    ...inside.filter((path) => !onMap.has(path)).map((path) => `${folder}/${path} is not on the map ${index.path}; export from it there, or name it in a comment`),
    ...named.filter((name) => name.endsWith('.ts') && name !== 'index.ts' && !inside.includes(name)).map((name) => `${index.path} names ${name}, which does not exist`),
  ]
}

/** The files that a comment line of the map names, as paths from its folder; without `.ts` where it has none. */
function namesIn(line: string): string[] {
  const parent = /^([\w-]+\/)(?![\w-])/.exec(line)?.[1]
  if (parent === undefined) return line.match(/\b[\w-]+(?:\/[\w-]+)*\.ts\b/g) ?? []
  const list = line.slice(parent.length).replaceAll(/\([^)]*\)/g, '')
  return (list.match(/[\w-]+(?:\.ts)?/g) ?? []).map((name) => parent + name)
}

/** Functions, classes and constants that a file exports and nobody imports. Types may stand unused, to be read. */
export function deadExports(files: readonly SourceFile[], readers: readonly SourceFile[], entrances: readonly string[]): string[] {
  const used = new Set([...files, ...readers].flatMap((file) => usesOf(file)))
  return files
    .filter((file) => !entrances.includes(file.path))
    .flatMap((file) => valuesOf(file).filter((name) => !used.has(`${file.path}#${name}`) && !used.has(`${file.path}#*`)).map((name) => `${file.path} exports ${name}, which nobody imports`))
}

/** What a file takes from others, as `path#name`, or `path#*` where it takes all. */
function usesOf(file: SourceFile): string[] {
  const found: string[] = []
  walk(parse(file), (node) => {
    if (!ts.isImportDeclaration(node) && !ts.isExportDeclaration(node)) return
    if (!node.moduleSpecifier || !ts.isStringLiteral(node.moduleSpecifier) || !node.moduleSpecifier.text.startsWith('.')) return
    const path = normalize(join(dirname(file.path), node.moduleSpecifier.text)).replace(/\.js$/, '.ts')
    const clause = ts.isImportDeclaration(node) ? node.importClause?.namedBindings : node.exportClause
    const names = clause && (ts.isNamedImports(clause) || ts.isNamedExports(clause)) ? clause.elements.map((each) => (each.propertyName ?? each.name).text) : ['*']
    found.push(...names.map((name) => `${path}#${name}`))
  })
  const called = importsOf(file).filter(({ specifier }) => specifier.startsWith('.') && file.text.includes(`import('${specifier}')`))
  return [...found, ...called.map(({ specifier }) => `${normalize(join(dirname(file.path), specifier)).replace(/\.js$/, '.ts')}#*`)]
}

/** The names of the values that a file declares and exports. */
function valuesOf(file: SourceFile): string[] {
  return parse(file).statements.flatMap((statement) => {
    if (!ts.canHaveModifiers(statement) || !ts.getModifiers(statement)?.some((each) => each.kind === ts.SyntaxKind.ExportKeyword)) return []
    if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map((each) => each.name.getText())
    // An overload has no body; the function that it belongs to speaks for it.
    if (ts.isFunctionDeclaration(statement) && !statement.body) return []
    if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) return statement.name ? [statement.name.text] : []
    return []
  })
}
