/** What a gateway serves, as OpenAPI 3.1, from the protocols of its actors. */
import type { Schema } from '../../runtime/index.js'
import type { Spec } from '../../runtime/protocol.js'
import { jsonSchemaOf, type JsonObject } from '../json-schema-of.js'
import type { Scope, Shown } from './scopes.js'

const PROBLEM: JsonObject = {
  type: 'object',
  required: ['code', 'message', 'hint'],
  properties: { code: { type: 'string' }, message: { type: 'string' }, hint: { type: 'string' }, details: { type: 'object' } },
}
const json = (schema: JsonObject): object => ({ 'application/json': { schema } })
const events = (schema: JsonObject): object => ({ 'text/event-stream': { schema: { type: 'string', description: 'Each event carries one chunk as JSON; the last one is `end` or `error`.', contentMediaType: 'application/json', contentSchema: schema } } })

/** The document as somebody with this scope sees it. */
export function openapi(shown: readonly Shown[], may: Scope, { secured }: { readonly secured: boolean }): object {
  const paths = shown.flatMap((entry) => {
    const types = Object.entries(entry.protocol.specs).filter(([type]) => may(entry.pattern, type))
    return types.length === 0 ? [] : [[pathOf(entry.pattern), { ...parametersOf(entry.pattern), post: operation(entry.pattern, types) }] as const]
  })
  return {
    openapi: '3.1.0',
    info: { title: 'Troupe gateway', version: '1' },
    paths: Object.fromEntries(paths),
    components: {
      schemas: { Problem: PROBLEM },
      ...(secured && { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } }),
    },
    ...(secured && { security: [{ bearer: [] }] }),
  }
}

/** What a library cannot say as JSON Schema lets everything through here, with a note; the gateway checks it all the same. */
function documented(schema: Schema<unknown>): JsonObject {
  try {
    return jsonSchemaOf(schema, 'a message')
  } catch {
    return { description: `checked by ${schema['~standard'].vendor}, which does not say it as JSON Schema` }
  }
}

const isKeyed = (pattern: string): boolean => pattern.endsWith('/*')
const pathOf = (pattern: string): string => `/actors/${isKeyed(pattern) ? `${pattern.slice(0, -1)}{key}` : pattern}`
const parametersOf = (pattern: string): object => (isKeyed(pattern) ? { parameters: [{ name: 'key', in: 'path', required: true, schema: { type: 'string' } }] } : {})

function operation(pattern: string, types: readonly (readonly [string, Spec])[]): object {
  const requests = types.flatMap(([, spec]) => (spec.kind === 'request' ? [documented(spec.reply)] : []))
  const chunks = types.flatMap(([, spec]) => (spec.kind === 'stream' ? [documented(spec.chunk)] : []))
  const ok = { ...(requests.length > 0 && json(anyOf(requests))), ...(chunks.length > 0 && events(anyOf(chunks))) }
  return {
    operationId: pattern.replaceAll(/[^\w]+/g, '_'),
    summary: types.map(([type, { kind }]) => `${type} (${kind})`).join(', '),
    parameters: [{ name: 'troupe-timeout', in: 'header', schema: { type: 'string' }, description: 'How long the outcome may take: milliseconds, or a number with its unit such as 2s.' }],
    requestBody: { required: true, content: json(anyOf(types.map(([type, spec]) => messageSchema(type, spec)))) },
    responses: {
      ...(Object.keys(ok).length > 0 && { 200: { description: 'The reply, or the chunks of a stream.', content: ok } }),
      ...(types.some(([, { kind }]) => kind === 'event') && { 202: { description: 'The event was accepted.' } }),
      default: { description: 'What went wrong.', content: json({ $ref: '#/components/schemas/Problem' }) },
    },
  }
}

const anyOf = (schemas: readonly JsonObject[]): JsonObject => (schemas.length === 1 ? (schemas[0] as JsonObject) : { anyOf: schemas })

/** The body's schema with the type beside its fields. */
function messageSchema(type: string, { body }: Spec): JsonObject {
  const named = { type: 'object', required: ['type'], properties: { type: { const: type } } }
  if (body === undefined) return named
  const schema = documented(body)
  const { properties, required = [], additionalProperties: _, ...rest } = schema as { properties?: object; required?: readonly string[]; additionalProperties?: unknown }
  if (properties === undefined) return { allOf: [named, schema] }
  return { ...rest, type: 'object', required: ['type', ...required], properties: { type: { const: type }, ...properties } }
}
