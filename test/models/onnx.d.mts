export type Dim = number | string
export interface Weight {
  readonly name: string
  readonly type?: 'float32' | 'int64' | 'bool'
  readonly dims: readonly number[]
  readonly data?: ArrayLike<number>
  /** The file beside the graph that holds it, in place of `data`. */
  readonly beside?: string
}
export type Node = readonly [op: string, inputs: readonly string[], outputs: readonly string[], attributes?: Readonly<Record<string, unknown>>]
export type PortOf = readonly [name: string, type: 'float32' | 'int64' | 'bool', shape: readonly Dim[]]
export interface Graph {
  readonly nodes: readonly Node[]
  readonly weights?: readonly Weight[]
  readonly inputs: readonly PortOf[]
  readonly outputs: readonly PortOf[]
}
export function onnx(graph: Graph): Uint8Array
export function pseudoRandom(count: number, scale?: number, seed?: number): Float32Array
export function encoderGraph(sizes?: { layers?: number; width?: number; heads?: number; feedForward?: number; vocabulary?: number; positions?: number }): Uint8Array
