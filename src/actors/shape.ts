/** Schemas of the actors' protocols: a few checkers behind Standard Schema, so that the package needs no schema library. */
import type { Schema } from '../runtime/index.js'

interface Issue {
  readonly message: string
  readonly path: readonly (string | number)[]
}
type Check = (value: unknown, path: readonly (string | number)[], issues: Issue[]) => void

type Json = Readonly<Record<string, unknown>>

export interface Shape<T> extends Schema<T> {
  readonly check: Check
  /** As JSON schema, which is what Standard JSON Schema gives. */
  readonly json: Json
}
/** A field that may be left out. */
export interface Optional<T> {
  readonly optional: Shape<T>
}
/** What a shape lets through. */
export type Shaped<S> = S extends Shape<infer T> ? T : never

type Fields = Readonly<Record<string, Shape<unknown> | Optional<unknown>>>
type Recorded<F extends Fields> = { readonly [K in keyof F as F[K] extends Optional<unknown> ? never : K]: F[K] extends Shape<infer T> ? T : never } & {
  readonly [K in keyof F as F[K] extends Optional<unknown> ? K : never]?: F[K] extends Optional<infer T> ? T : never
}
type Flat<T> = { [K in keyof T]: T[K] }

function shape<T>(check: Check, json: Json): Shape<T> {
  const validate = (value: unknown): { value: T } | { issues: Issue[] } => {
    const issues: Issue[] = []
    check(value, [], issues)
    return issues.length === 0 ? { value: value as T } : { issues }
  }
  const jsonSchema = { input: () => ({ ...json }), output: () => ({ ...json }) }
  const standard = { version: 1, vendor: 'troupe', validate, jsonSchema } as const
  return { check, json, '~standard': standard }
}

/** `json` is as much of it as a JSON schema can say; without, no more than the words. */
export const typed = <T>(what: string, holds: (value: unknown) => boolean, json: Json = { description: what }): Shape<T> =>
  shape((value, path, issues) => {
    if (!holds(value)) issues.push({ message: `expected ${what}`, path })
  }, json)

export const string = typed<string>('text', (value) => typeof value === 'string', { type: 'string' })
export const number = typed<number>('a number', (value) => typeof value === 'number', { type: 'number' })
export const boolean = typed<boolean>('true or false', (value) => typeof value === 'boolean', { type: 'boolean' })
export const vector = typed<Float32Array>('a vector of 32-bit floats', (value) => value instanceof Float32Array)
export const count = typed<number>('a whole number from 1', (value) => Number.isInteger(value) && (value as number) > 0, { type: 'integer', minimum: 1 })

export const oneOf = <const T extends string>(...values: readonly T[]): Shape<T> => typed(values.map((value) => `'${value}'`).join(' or '), (value) => values.includes(value as T), { enum: values })

export const optional = <T>(shape: Shape<T>): Optional<T> => ({ optional: shape })

export const list = <T>(of: Shape<T>): Shape<readonly T[]> =>
  shape((value, path, issues) => {
    if (!Array.isArray(value)) return void issues.push({ message: 'expected a list', path })
    for (const [at, item] of value.entries()) of.check(item, [...path, at], issues)
  }, { type: 'array', items: of.json })

/** An object with these fields; others are let through, so that a newer sender may say more. */
export function record<const F extends Fields>(fields: F): Shape<Flat<Recorded<F>>> {
  return shape((value, path, issues) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return void issues.push({ message: 'expected an object', path })
    for (const [name, field] of Object.entries(fields)) {
      const given = (value as Record<string, unknown>)[name]
      if ('check' in field) field.check(given, [...path, name], issues)
      else if (given !== undefined) field.optional.check(given, [...path, name], issues)
    }
  }, jsonOf(fields))
}

const jsonOf = (fields: Fields, kind?: string): Json => ({
  type: 'object',
  properties: { ...(kind !== undefined && { kind: { const: kind } }), ...Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, 'check' in field ? field.json : field.optional.json])) },
  required: [...(kind === undefined ? [] : ['kind']), ...Object.keys(fields).filter((name) => 'check' in (fields[name] as object))],
})

/** One of several records, told apart by their `kind`. */
export function kinds<const K extends Readonly<Record<string, Fields>>>(kinds: K): Shape<{ [N in keyof K]: Flat<{ readonly kind: N } & Recorded<K[N]>> }[keyof K]> {
  const records = new Map(Object.entries(kinds).map(([kind, fields]) => [kind, record(fields)]))
  return shape((value, path, issues) => {
    const kind = (value as { kind?: unknown } | null | undefined)?.kind
    const known = typeof kind === 'string' ? records.get(kind) : undefined
    if (known === undefined) issues.push({ message: `expected a kind of ${[...records.keys()].join(', ')}`, path: [...path, 'kind'] })
    else known.check(value, path, issues)
  }, { anyOf: Object.entries(kinds).map(([kind, fields]) => jsonOf(fields, kind)) })
}
