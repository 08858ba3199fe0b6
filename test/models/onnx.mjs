// Writes small ONNX graphs, so that tests and benches have models of every shape without downloading any.
// Only what is needed of onnx.proto3: the numbers below are its field numbers.

const TYPES = { float32: 1, int64: 7, bool: 9 }

const varint = (value) => {
  const bytes = []
  let rest = BigInt.asUintN(64, BigInt(value))
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0))
    rest >>= 7n
  } while (rest > 0n)
  return Buffer.from(bytes)
}
const number = (field, value) => Buffer.concat([varint(field << 3), varint(value)])
const bytes = (field, value) => {
  const data = typeof value === 'string' ? Buffer.from(value) : value
  return Buffer.concat([varint((field << 3) | 2), varint(data.length), data])
}
const float = (field, value) => {
  const data = Buffer.alloc(4)
  data.writeFloatLE(value)
  return Buffer.concat([varint((field << 3) | 5), data])
}
const all = (field, values, write) => values.map((value) => write(field, value))

const tensor = ({ name = '', type = 'float32', dims, data, beside }) => {
  // Weights that lie in a file of their own, by its name.
  if (beside !== undefined) return Buffer.concat([...all(1, dims, number), number(2, TYPES[type]), bytes(8, name), bytes(13, Buffer.concat([bytes(1, 'location'), bytes(2, beside)])), number(14, 1)])
  const raw = type === 'int64' ? new BigInt64Array([...data].map(BigInt)) : type === 'bool' ? Uint8Array.from(data) : Float32Array.from(data)
  return Buffer.concat([...all(1, dims, number), number(2, TYPES[type]), bytes(8, name), bytes(9, Buffer.from(raw.buffer))])
}

function attribute([name, value]) {
  const kind = (code) => number(20, code)
  if (typeof value === 'string') return Buffer.concat([bytes(1, name), bytes(4, value), kind(3)])
  if (Array.isArray(value)) return Buffer.concat([bytes(1, name), ...all(8, value, number), kind(7)])
  if (typeof value === 'object') return Buffer.concat([bytes(1, name), bytes(5, tensor(value)), kind(4)])
  if (Number.isInteger(value)) return Buffer.concat([bytes(1, name), number(3, value), kind(2)])
  return Buffer.concat([bytes(1, name), float(2, value), kind(1)])
}

const node = ([op, inputs, outputs, attributes = {}]) =>
  Buffer.concat([...all(1, inputs, bytes), ...all(2, outputs, bytes), bytes(3, outputs[0]), bytes(4, op), ...Object.entries(attributes).map((each) => bytes(5, attribute(each)))])

const port = ([name, type, shape]) => {
  const dims = shape.map((dim) => bytes(1, typeof dim === 'number' ? number(1, dim) : bytes(2, dim)))
  return Buffer.concat([bytes(1, name), bytes(2, bytes(1, Buffer.concat([number(1, TYPES[type]), bytes(2, Buffer.concat(dims))])))])
}

/**
 * A graph as ONNX bytes. `nodes`: [op, inputs, outputs, attributes]; `weights`: { name, type, dims, data };
 * `inputs` and `outputs`: [name, type, shape], where a dimension that varies is a name.
 */
export function onnx({ nodes, weights = [], inputs, outputs }) {
  const graph = Buffer.concat([...nodes.map((each) => bytes(1, node(each))), bytes(2, 'g'), ...weights.map((each) => bytes(5, tensor(each))), ...inputs.map((each) => bytes(11, port(each))), ...outputs.map((each) => bytes(12, port(each)))])
  return Buffer.concat([number(1, 8), bytes(2, 'troupe'), bytes(7, graph), bytes(8, Buffer.concat([bytes(1, ''), number(2, 17)]))])
}

/** Numbers that look random and are always the same. */
export function pseudoRandom(count, scale = 1, seed = 1) {
  const values = new Float32Array(count)
  let state = seed >>> 0
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    values[i] = (state / 2 ** 32 - 0.5) * scale
  }
  return values
}

/** An encoder in the shape of MiniLM, with random weights: good for speed, not for meaning. */
export function encoderGraph({ layers = 6, width = 384, heads = 12, feedForward = 1536, vocabulary = 12288, positions = 512 } = {}) {
  const weights = []
  const nodes = []
  const weight = (name, dims, scale) => weights.push({ name, dims, data: pseudoRandom(dims.reduce((a, b) => a * b, 1), scale, weights.length + 1) }) && name
  const ints = (name, data) => weights.push({ name, type: 'int64', dims: [data.length], data }) && name
  const run = (op, inputs, output, attributes) => nodes.push([op, inputs, [output], attributes]) && output
  const linear = (input, name, from, to) => run('Add', [run('MatMul', [input, weight(`${name}.w`, [from, to], 2 / Math.sqrt(from))], `${name}.m`), weight(`${name}.b`, [to], 0.1)], name)
  const norm = (input, name) => run('LayerNormalization', [input, weights.push({ name: `${name}.g`, dims: [width], data: new Float32Array(width).fill(1) }) && `${name}.g`, weight(`${name}.c`, [width], 0.1)], name, { axis: -1, epsilon: 1e-5 })
  const split = ints('split', [0, 0, heads, width / heads])
  const join = ints('join', [0, 0, width])
  const one = weights.push({ name: 'one', dims: [], data: [1] }) && 'one'
  const low = weights.push({ name: 'low', dims: [], data: [-10000] }) && 'low'
  const scale = weights.push({ name: 'scale', dims: [], data: [1 / Math.sqrt(width / heads)] }) && 'scale'
  const mask = run('Mul', [run('Sub', [one, run('Unsqueeze', [run('Cast', ['attention_mask'], 'mask.f', { to: 1 }), ints('axes', [1, 2])], 'mask.4')], 'mask.inverse'), low], 'mask.low')
  const places = run('Sub', [run('CumSum', [run('Cast', ['attention_mask'], 'mask.i', { to: 7 }), weights.push({ name: 'axis1', type: 'int64', dims: [], data: [1] }) && 'axis1'], 'mask.sum'), weights.push({ name: 'one.i', type: 'int64', dims: [], data: [1] }) && 'one.i'], 'places')
  let x = run('Add', [run('Gather', [weight('words', [vocabulary, width], 0.1), 'input_ids'], 'words.x'), run('Gather', [weight('positions', [positions, width], 0.02), run('Max', [places, weights.push({ name: 'zero.i', type: 'int64', dims: [], data: [0] }) && 'zero.i'], 'places.low')], 'positions.x')], 'x0')
  for (let layer = 0; layer < layers; layer++) {
    const at = (name) => `${layer}.${name}`
    const head = (name, order) => run('Transpose', [run('Reshape', [linear(x, at(name), width, width), split], at(`${name}.s`))], at(`${name}.t`), { perm: order })
    const scores = run('Add', [run('Mul', [run('MatMul', [head('q', [0, 2, 1, 3]), head('k', [0, 2, 3, 1])], at('qk')), scale], at('qk.s')), mask], at('scores'))
    const mixed = run('MatMul', [run('Softmax', [scores], at('p'), { axis: -1 }), head('v', [0, 2, 1, 3])], at('mixed'))
    const joined = run('Reshape', [run('Transpose', [mixed], at('mixed.t'), { perm: [0, 2, 1, 3] }), join], at('joined'))
    x = norm(run('Add', [x, linear(joined, at('o'), width, width)], at('x1')), at('n1'))
    x = norm(run('Add', [x, linear(run('Relu', [linear(x, at('up'), width, feedForward)], at('relu')), at('down'), feedForward, width)], at('x2')), at('n2'))
  }
  nodes.push(['Identity', [x], ['last_hidden_state']])
  const ids = ['batch', 'sequence']
  return onnx({ nodes, weights, inputs: [['input_ids', 'int64', ids], ['attention_mask', 'int64', ids]], outputs: [['last_hidden_state', 'float32', [...ids, width]]] })
}
