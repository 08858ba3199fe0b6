import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onnx, type Graph } from './onnx.mjs'

const encoder = fileURLToPath(new URL('../../dist/models/embedded/encoder', import.meta.url))

/** A model folder with graphs of the test's own and the embedded tokenizer. */
export function folderModel({ graphs, config, files = {} }: { graphs: Readonly<Record<string, Graph | Uint8Array>>; config: Readonly<Record<string, unknown>>; files?: Readonly<Record<string, unknown>> }): string {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-folder-model-'))
  mkdirSync(join(folder, 'onnx'))
  for (const file of ['tokenizer.json', 'tokenizer_config.json']) cpSync(join(encoder, file), join(folder, file))
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ max_position_embeddings: 512, ...config }))
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), typeof content === 'string' ? content : JSON.stringify(content))
  for (const [file, graph] of Object.entries(graphs)) writeFileSync(join(folder, 'onnx', file), graph instanceof Uint8Array ? graph : onnx(graph))
  return folder
}
