/** Key/value caches of running sequences, side by side in the tensors of one batch. */
import type { Model, Port, Tensor, TensorData, Tensors } from '../kernel.js'

/** Where a sequence's cache lies: a row of the tensors that the graph last gave, after `pad` unused places. */
export interface Place {
  readonly tensors: Tensors
  readonly row: number
  readonly pad: number
}

/** The cache inputs of a graph, and which output feeds which. */
export class CacheLayout {
  readonly ports: readonly Port[]

  constructor(model: Model) {
    this.ports = model.inputs.filter(({ name }) => name.startsWith('past_key_values.'))
  }

  get bytesPerToken(): number {
    return this.ports.reduce((sum, port) => sum + headsOf(port) * widthOf(port) * (port.type === 'float16' ? 2 : 4), 0)
  }

  presentOf(port: Port): string {
    return port.name.replace('past_key_values', 'present')
  }

  /** Caches of nobody yet, for `rows` sequences. */
  empty(rows: number): Tensors {
    return Object.fromEntries(this.ports.map((port) => [port.name, blank(port, rows, 0)]))
  }

  /** The graph's outputs, named as the inputs they feed next. */
  next(outputs: Tensors): Tensors {
    return Object.fromEntries(this.ports.map((port) => [port.name, outputs[this.presentOf(port)] as Tensor]))
  }

  /** A sequence's own copy of its cache, as long as it is. */
  extract(sequence: { readonly place: Place; readonly length: number }): Tensors {
    return this.compose([sequence]).tensors
  }

  /** Copies caches of different lengths into one batch, the shorter ones padded on the left. */
  compose(sequences: readonly { readonly place: Place; readonly length: number }[]): { tensors: Tensors; length: number } {
    const length = Math.max(...sequences.map((each) => each.length))
    const tensors = Object.fromEntries(
      this.ports.map((port) => {
        const into = blank(port, sequences.length, length)
        for (const [row, sequence] of sequences.entries()) copyRow(port, sequence.place, sequence.length, into, row, length)
        return [port.name, into]
      }),
    )
    return { tensors, length }
  }
}

const headsOf = (port: Port): number => port.shape[1] as number
const widthOf = (port: Port): number => port.shape[3] as number

function blank(port: Port, rows: number, length: number): Tensor {
  const size = rows * headsOf(port) * length * widthOf(port)
  const data: TensorData = port.type === 'float16' ? new Uint16Array(size) : new Float32Array(size)
  return { type: port.type, dims: [rows, headsOf(port), length, widthOf(port)], data }
}

function copyRow(port: Port, place: Place, length: number, into: Tensor, row: number, total: number): void {
  const from = place.tensors[port.name] as Tensor
  const heads = headsOf(port)
  const width = widthOf(port)
  const had = from.dims[2] as number
  const source = from.data as Float32Array
  const target = into.data as Float32Array
  for (let head = 0; head < heads; head++) {
    const start = ((place.row * heads + head) * had + place.pad) * width
    target.set(source.subarray(start, start + length * width), ((row * heads + head) * total + total - length) * width)
  }
}
