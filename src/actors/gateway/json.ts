/** JSON as it comes in, within bounds, and as it goes out. */
import { TroupeError } from '../../ground/errors.js'
import { JSON_DEPTH_MAX } from './limits.js'

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Throws when the text nests deeper than a message may: a parser would go down with it, or what comes after it. */
function checkDepth(text: string): void {
  let depth = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (quoted) {
      if (code === BACKSLASH) i++
      else if (code === QUOTE) quoted = false
    } else if (code === QUOTE) quoted = true
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > JSON_DEPTH_MAX) throw new TroupeError('InvalidMessage', `the body nests deeper than ${JSON_DEPTH_MAX} levels`, 'send it flatter')
    } else if (code === 0x5d || code === 0x7d) depth--
  }
}

/** The two names, or letters of them written as numbers. */
const isSuspicious = (text: string): boolean => text.includes('__proto__') || text.includes('constructor') || (text.includes('\\u00') && /\\u00[4-7]/.test(text))

/** A text as JSON. Throws `InvalidMessage` for anything else, and for keys that are there to change prototypes. */
export function parseJson(text: string): unknown {
  // Each level takes a character.
  if (text.length > JSON_DEPTH_MAX) checkDepth(text)
  try {
    if (!isSuspicious(text)) return JSON.parse(text)
    return JSON.parse(text, (key, value: unknown) => {
      if (key === '__proto__' || (key === 'constructor' && typeof value === 'object')) throw new SyntaxError(`the key ${key} is not allowed`)
      return value
    })
  } catch (error) {
    throw new TroupeError('InvalidMessage', `the body is no JSON: ${error instanceof Error ? error.message.slice(0, 120) : 'unreadable'}`, "send a JSON object with the content type 'application/json'", {}, error)
  }
}

const isBinary = (value: unknown): boolean => ArrayBuffer.isView(value) || value instanceof Map || value instanceof Set || typeof value === 'bigint'

/** What JSON has no word for: bytes as base64, other typed arrays and sets as lists, maps as objects, large integers as text. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
  if (value instanceof Map) return Object.fromEntries(value)
  if (value instanceof Set) return Array.from(value)
  return ArrayBuffer.isView(value) && !(value instanceof DataView) ? Array.from(value as unknown as ArrayLike<unknown>, (each) => (typeof each === 'bigint' ? String(each) : each)) : value
}

/** Whether a value has something in it that JSON has no word for; too deep to tell counts as yes. */
function hasBinary(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint'
  if (depth === 0 || isBinary(value)) return true
  for (const key in value) if (hasBinary((value as Record<string, unknown>)[key], depth - 1)) return true
  return false
}
const LOOKED_INTO = 4

/** A value as JSON; `undefined` becomes `null`. */
export function toJson(value: unknown): string {
  // With a function to ask for each field, JSON takes several times as long.
  if (!hasBinary(value, LOOKED_INTO)) return JSON.stringify(value ?? null)
  // Buffer has a toJSON of its own, which runs first: `this[key]` is the value before it.
  return JSON.stringify(value ?? null, function (this: Record<string, unknown>, key, given: unknown) {
    const own = this[key]
    return isBinary(own) ? plain(own) : given
  })
}
