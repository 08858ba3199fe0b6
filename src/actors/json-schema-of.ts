import { TroupeError, type Schema } from '../runtime/index.js'
import { describe } from '../ground/errors.js'

export type JsonObject = Readonly<Record<string, unknown>>
interface Converter {
  readonly input: (options: { readonly target: string }) => Record<string, unknown>
}

/** A schema as JSON schema, by its library's own means (Standard JSON Schema: zod from 4.2, arktype, this package). `what` is for the error. */
export function jsonSchemaOf(schema: Schema<unknown> | undefined, what: string): JsonObject {
  if (schema === undefined) return { type: 'object', properties: {}, additionalProperties: false }
  const converter = (schema['~standard'] as { readonly jsonSchema?: Converter }).jsonSchema
  if (converter === undefined) {
    throw new TroupeError('InvalidDefinition', `the schema of ${what} cannot be written as a JSON schema: ${schema['~standard'].vendor} does not offer it`, 'use a library with Standard JSON Schema (zod from 4.2, arktype), or give the JSON schema itself as `parameters`')
  }
  try {
    const json = { ...converter.input({ target: 'draft-2020-12' }) }
    delete json['$schema']
    return json
  } catch (cause) {
    throw new TroupeError('InvalidDefinition', `the schema of ${what} cannot be written as a JSON schema: ${describe(cause)}`, 'leave out what JSON cannot hold, such as dates and functions, or give the JSON schema itself as `parameters`', {}, cause)
  }
}
