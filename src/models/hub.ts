/** A model id such as `Xenova/all-MiniLM-L6-v2` to a folder: from the cache of transformers.js, or downloaded into it once. */
import { createWriteStream } from 'node:fs'
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { TroupeError, describe } from '../ground/errors.js'
import { graphNames, writesText, type Dtype } from './catalog.js'
import type { ModelConfig } from './kernel.js'
import { TOLD_BYTES_MIN, TOLD_TIMES } from './limits.js'

/** The settings of transformers.js that decide where models are and come from. */
export interface HubSettings {
  readonly cacheDir: string | null
  readonly remoteHost: string
  /** With `{model}` and `{revision}`. */
  readonly remotePathTemplate: string
  readonly allowRemoteModels: boolean
}

export interface HubRequest {
  readonly id: string
  readonly revision?: string
  readonly dtype?: Dtype
  readonly onDownload?: Told
}

/** What has come of a file, and of how much when the hub says so; `whole` once it lies in the cache. */
export type Told = (file: string, arrived: { readonly bytes: number; readonly total?: number; readonly whole: boolean }) => void

const NEEDED = ['config.json', 'tokenizer.json', 'tokenizer_config.json']
const WELCOME = ['chat_template.jinja', 'generation_config.json', 'preprocessor_config.json']

export const isHubId = (name: string): boolean => /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(name)

/** Downloads that are under way: however many threads and hosts want a file, it comes once. */
const underWay = new Map<string, Promise<boolean>>()

/** Makes sure that the files of a model are in the cache; gives their folder. */
export async function fromHub({ id, revision = 'main', dtype = 'auto', onDownload }: HubRequest, settings: HubSettings): Promise<string> {
  const folder = join(settings.cacheDir ?? '.cache', id, ...(revision === 'main' ? [] : [revision]))
  const fetcher = new Fetcher(id, revision, folder, settings, onDownload ?? (() => undefined))
  for (const file of NEEDED) if (!(await fetcher.has(file)) && file === 'config.json') throw fetcher.notFound(file)
  for (const file of WELCOME) await fetcher.has(file)
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as ModelConfig
  const candidates = graphNames(config, writesText(config), dtype).map((name) => `onnx/${name}`)
  for (const graph of candidates) {
    if (!(await fetcher.has(graph))) continue
    if (usesExternalData(config)) await fetcher.has(`${graph}_data`)
    return folder
  }
  throw fetcher.notFound(candidates.slice(0, 4).join(', '))
}

const usesExternalData = (config: ModelConfig): boolean => Boolean((config['transformers.js_config'] as { use_external_data_format?: unknown } | undefined)?.use_external_data_format)

class Fetcher {
  readonly #id: string
  readonly #revision: string
  readonly #folder: string
  readonly #settings: HubSettings
  readonly #onDownload: Told

  constructor(id: string, revision: string, folder: string, settings: HubSettings, onDownload: Told) {
    this.#id = id
    this.#revision = revision
    this.#folder = folder
    this.#settings = settings
    this.#onDownload = onDownload
  }

  /** True when the file is in the cache, after a download if need be; false when the hub does not have it either. */
  async has(file: string): Promise<boolean> {
    const path = join(this.#folder, file)
    // Looking comes under it too: who looked before a download and asked after it would have it come again.
    const running = underWay.get(path) ?? this.#lookedFor(file, path).finally(() => underWay.delete(path))
    underWay.set(path, running)
    return await running
  }

  async #lookedFor(file: string, path: string): Promise<boolean> {
    if (await stat(path).then((found) => found.isFile(), () => false)) return true
    const offline = !this.#settings.allowRemoteModels || process.env['HF_HUB_OFFLINE'] === '1'
    return !offline && (await this.#download(file, path))
  }

  notFound(file: string): TroupeError {
    const offline = !this.#settings.allowRemoteModels || process.env['HF_HUB_OFFLINE'] === '1'
    const hint = offline ? `it is not in the cache ${this.#settings.cacheDir ?? ''} and downloads are switched off: allow them once, or copy its files there` : `check its name, and that it holds ${file}; ONNX models are often under onnx-community/ or Xenova/`
    return new TroupeError('ModelNotFound', `model ${JSON.stringify(this.#id)} was not found${offline ? ' offline' : ''}: no ${file}`, hint, { model: this.#id, revision: this.#revision, file, offline })
  }

  async #download(file: string, path: string): Promise<boolean> {
    const { remoteHost, remotePathTemplate } = this.#settings
    const url = new URL(remotePathTemplate.replaceAll('{model}', this.#id).replaceAll('{revision}', encodeURIComponent(this.#revision)) + file, remoteHost)
    const response = await fetch(url, { headers: headersFor(url) }).catch((cause: unknown) => {
      throw new TroupeError('ModelNotFound', `model ${JSON.stringify(this.#id)} could not be downloaded: ${describe(cause)}`, `check the network, or copy the model to ${this.#folder}`, { model: this.#id, reason: 'no-network', url: url.href }, cause)
    })
    if (response.status === 404) return false
    if (response.status === 401 || response.status === 403) {
      throw new TroupeError('Unauthorized', `the hub refused ${url.href} with ${response.status}`, 'check the name of the model; for a private or gated one, accept its terms and set HF_TOKEN', { model: this.#id, status: response.status })
    }
    if (!response.ok || response.body === null) throw new TroupeError('ModelNotFound', `the hub answered ${response.status} for ${url.href}`, 'try again later', { model: this.#id, status: response.status })
    await this.#store(response, path, file)
    this.#onDownload(file, { bytes: (await stat(path)).size, whole: true })
    return true
  }

  /** Passes a file on, and tells now and then how much of it has come. */
  #counted(file: string, size: number): (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array> {
    const tell = this.#onDownload
    const each = Math.max(TOLD_BYTES_MIN, size / TOLD_TIMES)
    return async function* (chunks) {
      let bytes = 0
      let next = each
      for await (const chunk of chunks) {
        bytes += chunk.byteLength
        if (bytes >= next) {
          next = bytes + each
          // What was packed on its way is longer than it was said to be.
          tell(file, { bytes, whole: false, ...(size >= bytes ? { total: size } : {}) })
        }
        yield chunk
      }
    }
  }

  /** Written beside its place and moved there when whole: half a download is never mistaken for a file. */
  async #store(response: Response, path: string, file: string): Promise<void> {
    const part = `${path}.${process.pid}.part`
    await mkdir(dirname(path), { recursive: true })
    try {
      await pipeline(Readable.fromWeb(response.body as ReadableStream), this.#counted(file, Number(response.headers.get('content-length') ?? 0)), createWriteStream(part))
      await rename(part, path)
    } catch (cause) {
      await rm(part, { force: true })
      throw new TroupeError('ModelNotFound', `the download of ${JSON.stringify(this.#id)} broke off: ${describe(cause)}`, 'try again', { model: this.#id, reason: 'no-network' }, cause)
    }
  }
}

/** The access token goes to the hub itself and to nobody else. */
function headersFor(url: URL): Record<string, string> {
  const token = process.env['HF_TOKEN'] ?? process.env['HF_ACCESS_TOKEN']
  const hub = url.protocol === 'https:' && /(^|\.)(huggingface\.co|hf\.co)$/.test(url.hostname)
  return hub && token !== undefined ? { Authorization: `Bearer ${token}` } : {}
}
