/** A model's name to its files: shipped with Troupe, or in a folder. */
import { readFile, readdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TroupeError } from '../ground/errors.js'
import { configNumber, type ModelConfig } from './kernel.js'
import { isPackaged, locatePackaged } from './packaged.js'

/** Weights that come with the package. */
const EMBEDDED = ['encoder', 'generator'] as const

/** How a graph's numbers are stored, as in transformers.js; `auto` takes what the folder holds, smallest first. */
export type Dtype = 'auto' | 'fp32' | 'fp16' | 'q8' | 'int8' | 'uint8' | 'q4' | 'q4f16' | 'bnb4'

const SUFFIX: Readonly<Record<Exclude<Dtype, 'auto'>, string>> = {
  q8: '_quantized',
  int8: '_int8',
  uint8: '_uint8',
  q4: '_q4',
  q4f16: '_q4f16',
  bnb4: '_bnb4',
  fp16: '_fp16',
  fp32: '',
}

export interface Located {
  readonly name: string
  readonly folder: string
  readonly graph: string
  /** Further graphs, by the names that kernels know. */
  readonly graphs: Readonly<Record<string, string>>
  readonly bytes: number
  readonly config: ModelConfig
  /** It takes no text, and so has no tokenizer. */
  readonly wordless: boolean
  /** A decoder writes token by token; an encoder answers in one pass. */
  readonly writes: boolean
}

const known = EMBEDDED.map((name) => `embedded:${name}`).join(', ')

/** The files of a model; `folder` when its name is not where it lies, as for a model from the hub. */
export async function locate(name: string, { dtype, folder }: { dtype?: Dtype; folder?: string } = {}): Promise<Located> {
  return isPackaged(name) ? await locatePackaged(name) : await locateIn(folder ?? folderOf(name), name, dtype)
}

async function locateIn(folder: string, name: string, dtype: Dtype = 'auto'): Promise<Located> {
  const config = await readJson(name, folder, 'config.json')
  const writes = writesText(config)
  const graph = await findGraph(name, folder, graphNames(config, writes, dtype), dtype)
  // What looks or listens has its own kind of preprocessing in place of a tokenizer.
  const wordless = (await isThere(folder, 'preprocessor_config.json')) && !(await isThere(folder, 'tokenizer.json'))
  return { name, folder, config, writes, wordless, graphs: {}, ...graph }
}

/** A model whose graphs transformers.js finds by itself; one of the hub is left to it altogether. */
export async function locateWhole(name: string, hub: boolean): Promise<Located> {
  if (hub) return { name, folder: name, graph: '', graphs: {}, bytes: 0, config: {}, writes: false, wordless: true }
  const folder = folderOf(name)
  const config = await readJson(name, folder, 'config.json')
  const files = await readdir(join(folder, 'onnx')).catch(() => [])
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, 'onnx', file))).size))
  return { name, folder, graph: '', graphs: {}, bytes: sizes.reduce((sum, size) => sum + size, 0), config, writes: false, wordless: true }
}

const isThere = (folder: string, file: string): Promise<boolean> => stat(join(folder, file)).then((found) => found.isFile(), () => false)

function folderOf(name: string): string {
  if (name.startsWith('embedded:')) {
    const own = EMBEDDED.find((each) => name === `embedded:${each}`)
    if (own === undefined) throw notFound(name, `there is no embedded model of that name; there are ${known}`)
    return fileURLToPath(new URL(`./embedded/${own}`, import.meta.url))
  }
  if (name.startsWith('file:')) return fileURLToPath(name)
  if (name.startsWith('~/')) return join(homedir(), name.slice(2))
  if (isAbsolute(name) || /^\.{1,2}[\\/]/.test(name)) return name
  throw notFound(name, `name one of ${known}, package:<npm package>, a folder by a path that starts with / or ./, or a model of the hub as owner/name`)
}

const notFound = (model: string, hint: string, details: Record<string, unknown> = {}): TroupeError =>
  new TroupeError('ModelNotFound', `model ${JSON.stringify(model)} was not found`, hint, { model, ...details })

async function readJson(name: string, folder: string, file: string): Promise<Record<string, unknown>> {
  const path = join(folder, file)
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) {
    const exists = await stat(folder).then((found) => found.isDirectory(), () => false)
    throw notFound(name, exists ? `its folder has no ${file}; a model folder holds config.json, tokenizer.json, tokenizer_config.json and onnx/*.onnx` : `there is no folder ${folder}`, { path })
  }
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch (cause) {
    throw new TroupeError('ModelFailed', `${file} of model ${JSON.stringify(name)} is not JSON`, `restore ${path}`, { model: name, path, reason: 'corrupt-file' }, cause)
  }
}

/** From `architectures`, as `config.json` names the class that the weights were made for. */
export function writesText(config: ModelConfig): boolean {
  const architectures = config['architectures']
  const names = Array.isArray(architectures) ? architectures.join(' ') : ''
  return /ForCausalLM|LMHeadModel/.test(names)
}

/** File names that the graph may have, the best first. */
export function graphNames(config: ModelConfig, writes: boolean, dtype: Dtype): string[] {
  const own = (config['transformers.js_config'] as { dtype?: unknown } | undefined)?.dtype
  const wanted = typeof own === 'string' && own in SUFFIX ? [SUFFIX[own as Exclude<Dtype, 'auto'>]] : []
  const suffixes = dtype === 'auto' ? [...new Set([...wanted, ...Object.values(SUFFIX)])] : [SUFFIX[dtype]]
  const stems = writes ? ['decoder_model_merged', 'model'] : ['model', 'encoder_model']
  return suffixes.flatMap((suffix) => stems.map((stem) => `${stem}${suffix}.onnx`))
}

async function findGraph(name: string, folder: string, files: readonly string[], dtype: Dtype): Promise<{ graph: string; bytes: number }> {
  for (const file of files) {
    for (const path of [join(folder, 'onnx', file), join(folder, file)]) {
      const found = await stat(path).catch(() => undefined)
      if (found?.isFile()) return { graph: path, bytes: found.size + (await besideBytes(path)) }
    }
  }
  const there = await readdir(join(folder, 'onnx')).catch(() => [])
  const hint = there.length > 0 ? `its onnx folder holds ${there.join(', ')}; choose a dtype that is there` : `put its graph at ${join(folder, 'onnx', 'model.onnx')}`
  throw notFound(name, hint, { folder, dtype })
}

/** A large graph keeps its weights beside it, as `model.onnx_data`, `model.onnx_data_1`, … or `model.onnx.data`. */
async function besideBytes(graph: string): Promise<number> {
  const [folder, name] = [dirname(graph), basename(graph)]
  const files = (await readdir(folder)).filter((file) => file.startsWith(`${name}_data`) || file === `${name}.data`)
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, file))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** The longest input of a model in tokens. */
export const contextOf = (config: ModelConfig): number => configNumber(config, 'max_position_embeddings', 'n_positions', 'max_seq_len') ?? 512
