/** A schema as JSON Schema, by its library's own means. */
import type { Schema } from '../../runtime/index.js'

/** As much as libraries offer: the standard's own converter, or a method of their own. */
interface Convertible {
  readonly '~standard': { readonly vendor: string; readonly jsonSchema?: { input(options: { target: string }): Record<string, unknown> } }
  toJSONSchema?(): Record<string, unknown>
  toJsonSchema?(): Record<string, unknown>
}

export type JsonSchema = Readonly<Record<string, unknown>>

const TARGET = 'draft-2020-12'

/** What a library cannot say as JSON Schema becomes `{}`, which lets everything through, with a note. */
export function jsonSchemaOf(schema: Schema<unknown>): JsonSchema {
  const given = schema as unknown as Convertible
  const standard = given['~standard']
  try {
    const converted = standard.jsonSchema?.input({ target: TARGET }) ?? given.toJSONSchema?.() ?? given.toJsonSchema?.()
    if (converted !== undefined) return withoutDialect(converted)
  } catch {
    // A type that JSON Schema has no word for, such as bytes.
  }
  return { description: `checked by ${standard.vendor}, which does not say it as JSON Schema` }
}

/** The document says which dialect its schemas are in; each one need not. */
const withoutDialect = (schema: Record<string, unknown>): JsonSchema => Object.fromEntries(Object.entries(schema).filter(([name]) => name !== '$schema' && name !== '~standard'))
