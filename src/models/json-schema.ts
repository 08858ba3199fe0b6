/** A JSON schema made fit to constrain text: nothing that cannot be enforced, and nothing without a bound. */
import { TroupeError } from '../ground/errors.js'
import { ITEMS_MAX, NUMBER_MAX } from './limits.js'
import { numberRule } from './number-grammar.js'

/** A JSON schema, as an object. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

const ENFORCED = new Set(['type', 'properties', 'required', 'additionalProperties', 'items', 'prefixItems', 'minItems', 'maxItems', 'enum', 'const', 'anyOf', 'oneOf', '$ref', '$defs', 'definitions', 'minLength', 'maxLength', 'pattern', 'format', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'])
const HARMLESS = new Set(['$schema', '$id', '$comment', 'title', 'description', 'default', 'examples', 'deprecated', 'readOnly', 'writeOnly', '~standard'])

const NUMBER_CHARS = 18
/** What one free text inside an array's item is reckoned with when nothing else is known. */
const ITEM_CHARS = 16

/** How much text a schema takes: what it takes at most by itself, and how many parts have no bound. */
interface Size {
  readonly fixed: number
  readonly open: number
}

export interface Bounded {
  readonly schema: JsonSchema
  /** What stands in the schema for each number: a text of its own, and the grammar rule that belongs in its place. */
  readonly numbers: readonly { readonly stand: string; readonly rule: string }[]
}

/**
 * The same schema, with a bound on every text, list and number that has none, so that what it describes fits into
 * `chars` characters; a schema with keywords that would not be enforced is refused.
 */
export function bounded(schema: JsonSchema, chars: number): Bounded {
  check(schema, '#', schema)
  const { fixed, open } = sizeOf(schema)
  const share = Math.max(1, Math.floor((chars - fixed) / Math.max(1, open)))
  const numbers: { stand: string; rule: string }[] = []
  return { schema: new Bounding(numbers).bound(schema, share), numbers }
}

function check(schema: JsonSchema, path: string, root: JsonSchema): void {
  for (const keyword of Object.keys(schema)) {
    if (ENFORCED.has(keyword) || HARMLESS.has(keyword)) continue
    throw refused(`${path}/${keyword}`, 'this keyword cannot be enforced while text is written')
  }
  const rest = schema['additionalProperties']
  if (typeof rest === 'object' && rest !== null) throw refused(`${path}/additionalProperties`, 'properties without a name cannot be bounded')
  if (schema['type'] === 'object' && schema['properties'] === undefined && rest !== false) throw refused(path, 'an object must list its properties')
  if (schema['pattern'] !== undefined && (schema['maxLength'] !== undefined || schema['minLength'] !== undefined)) throw refused(path, 'a pattern and a length cannot be enforced together')
  if (schema['$ref'] !== undefined && !resolves(schema['$ref'], root)) throw refused(`${path}/$ref`, 'it points to nothing within the schema')
  for (const [at, part] of partsOf(schema)) check(part, `${path}/${at}`, root)
}

function resolves(reference: unknown, root: JsonSchema): boolean {
  if (typeof reference !== 'string' || !reference.startsWith('#')) return false
  let place: unknown = root
  for (const step of reference.slice(1).split('/').slice(1)) place = isSchema(place) ? place[step] : undefined
  return isSchema(place)
}

const refused = (path: string, why: string): TroupeError =>
  new TroupeError('InvalidMessage', `the schema cannot constrain the text at ${path}: ${why}`, 'say it in a simpler schema, and check the rest afterwards', { path, reason: 'schema' })

/** Every schema directly within a schema, with its place. */
function partsOf(schema: JsonSchema): [string, JsonSchema][] {
  const parts: [string, JsonSchema][] = []
  for (const key of ['properties', '$defs', 'definitions']) for (const [name, part] of Object.entries((schema[key] ?? {}) as Record<string, JsonSchema>)) parts.push([`${key}/${name}`, part])
  for (const key of ['anyOf', 'oneOf', 'prefixItems']) for (const [at, part] of ((schema[key] ?? []) as JsonSchema[]).entries()) parts.push([`${key}/${at}`, part])
  if (isSchema(schema['items'])) parts.push(['items', schema['items']])
  return parts
}

const isSchema = (value: unknown): value is JsonSchema => typeof value === 'object' && value !== null && !Array.isArray(value)

function sizeOf(schema: JsonSchema): Size {
  if (schema['const'] !== undefined) return { fixed: JSON.stringify(schema['const']).length, open: 0 }
  if (Array.isArray(schema['enum'])) return { fixed: Math.max(...schema['enum'].map((value) => JSON.stringify(value).length)), open: 0 }
  const choices = (schema['anyOf'] ?? schema['oneOf']) as JsonSchema[] | undefined
  if (choices !== undefined) return choices.map(sizeOf).reduce((most, each) => ({ fixed: Math.max(most.fixed, each.fixed), open: Math.max(most.open, each.open) }))
  switch (schema['type']) {
    case 'object':
      return sum(Object.entries((schema['properties'] ?? {}) as Record<string, JsonSchema>).map(([name, part]) => grow(sizeOf(part), name.length + 6)), 2)
    case 'array':
      return arraySize(schema)
    case 'string':
      return typeof schema['maxLength'] === 'number' ? { fixed: schema['maxLength'] + 2, open: 0 } : schema['format'] === undefined && schema['pattern'] === undefined ? { fixed: 2, open: 1 } : { fixed: 32, open: 0 }
    case 'boolean':
    case 'null':
      return { fixed: 5, open: 0 }
    case 'number':
    case 'integer':
      return { fixed: NUMBER_CHARS, open: 0 }
    default:
      return { fixed: 2, open: 1 }
  }
}

function arraySize(schema: JsonSchema): Size {
  const first = sum(((schema['prefixItems'] ?? []) as JsonSchema[]).map((part) => grow(sizeOf(part), 2)), 2)
  if (!isSchema(schema['items'])) return first
  const item = grow(sizeOf(schema['items']), 2)
  const most = schema['maxItems']
  if (typeof most === 'number') return { fixed: first.fixed + most * item.fixed, open: first.open + most * item.open }
  return { fixed: first.fixed, open: first.open + 2 }
}

const grow = ({ fixed, open }: Size, by: number): Size => ({ fixed: fixed + by, open })
const sum = (sizes: readonly Size[], start: number): Size => sizes.reduce((total, each) => ({ fixed: total.fixed + each.fixed, open: total.open + each.open }), { fixed: start, open: 0 })

class Bounding {
  readonly #numbers: { stand: string; rule: string }[]

  constructor(numbers: { stand: string; rule: string }[]) {
    this.#numbers = numbers
  }

  bound(schema: JsonSchema, share: number): JsonSchema {
    const kept = ['$defs', 'definitions'].filter((key) => schema[key] !== undefined)
    const definitions = kept.map((key) => [key, this.#each(schema[key] as Record<string, JsonSchema>, share)] as const)
    return { ...this.#bare(schema, share), ...Object.fromEntries(definitions) }
  }

  #bare(schema: JsonSchema, share: number): JsonSchema {
    if (schema['const'] !== undefined || schema['enum'] !== undefined || schema['$ref'] !== undefined) return schema
    for (const key of ['anyOf', 'oneOf']) if (schema[key] !== undefined) return { ...schema, [key]: this.#all(schema[key], share) }
    switch (schema['type']) {
      case 'object':
        return { ...schema, properties: this.#each((schema['properties'] ?? {}) as Record<string, JsonSchema>, share), additionalProperties: false }
      case 'array':
        return this.#array(schema, share)
      case 'string':
        if (schema['maxLength'] !== undefined || schema['pattern'] !== undefined || schema['format'] !== undefined) return schema
        return { ...schema, maxLength: Math.max(share, typeof schema['minLength'] === 'number' ? schema['minLength'] : 1) }
      case 'number':
      case 'integer':
        return this.#number(schema)
      case 'boolean':
      case 'null':
        return schema
      default: {
        const types = Array.isArray(schema['type']) ? (schema['type'] as string[]) : ['string', 'number', 'boolean', 'null']
        return { anyOf: types.map((type) => this.#bare({ ...schema, type }, share)) }
      }
    }
  }

  #each(schemas: Record<string, JsonSchema>, share: number): Record<string, JsonSchema> {
    return Object.fromEntries(Object.entries(schemas).map(([name, part]) => [name, this.bound(part, share)]))
  }
  #all(schemas: unknown, share: number): JsonSchema[] {
    return (schemas as JsonSchema[]).map((part) => this.bound(part, share))
  }

  #array(schema: JsonSchema, share: number): JsonSchema {
    const first = schema['prefixItems'] === undefined ? {} : { prefixItems: this.#all(schema['prefixItems'], share) }
    const items = isSchema(schema['items']) ? schema['items'] : {}
    if (schema['prefixItems'] !== undefined && !isSchema(schema['items'])) return { ...schema, ...first, items: false }
    if (typeof schema['maxItems'] === 'number') return { ...schema, ...first, items: this.bound(items, share) }
    const { fixed, open } = sizeOf(items)
    const least = typeof schema['minItems'] === 'number' ? schema['minItems'] : 1
    const maxItems = Math.max(least, Math.min(ITEMS_MAX, Math.floor((2 * share) / (fixed + 2 + open * ITEM_CHARS))))
    const itemShare = Math.floor(((2 * share) / maxItems - fixed - 2) / Math.max(1, open))
    return { ...schema, ...first, maxItems, items: this.bound(items, Math.max(1, itemShare)) }
  }

  /** Numbers get a rule of their own, as the grammar library lets 99.5 pass for "at most 99". */
  #number(schema: JsonSchema): JsonSchema {
    const whole = schema['type'] === 'integer'
    const least = whole ? 1 : 0.01
    const given = (key: string, beyond: number): number => (typeof schema[key] === 'number' ? schema[key] + beyond : NaN)
    const lows = [given('minimum', 0), given('exclusiveMinimum', least)].filter((value) => !Number.isNaN(value))
    const highs = [given('maximum', 0), given('exclusiveMaximum', -least)].filter((value) => !Number.isNaN(value))
    const high = highs.length > 0 ? Math.min(...highs) : Math.max(NUMBER_MAX, ...lows)
    const low = lows.length > 0 ? Math.max(...lows) : Math.min(-NUMBER_MAX, high)
    const rule = numberRule({ low, high, whole })
    if (rule === undefined) throw refused(JSON.stringify(schema), 'no number lies within its bounds')
    const stand = `@number ${this.#numbers.length}`
    this.#numbers.push({ stand, rule })
    return { const: stand }
  }
}
