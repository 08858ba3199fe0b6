/** What was taken out of texts, by conversation, so that it can be put back: `<EMAIL_1>` and the address it stands for. */
import type { Spanned } from '../nlu/numbers.js'
import type { Direction } from './finding.js'

/** Conversations that are remembered, and values of each; the least recently used conversation leaves. */
const CONVERSATIONS_MAX = 1_000
const VALUES_MAX = 500

interface Kept {
  readonly token: string
  readonly value: string
  /** `input` once a user said it. */
  readonly origin: Direction
}
interface Held {
  readonly conversation: string
  readonly values: readonly Kept[]
}
/** The least recently used first. */
export type Vault = readonly Held[]

export interface Masked extends Spanned {
  readonly name: string
  /** Whether it may ever be put back. */
  readonly restorable: boolean
}

const TOKEN = /<[A-Z][A-Z_]{0,30}_\d{1,6}>/g
const labelOf = (name: string): string => name.toUpperCase().replaceAll(/[^A-Z]+/g, '_')

/** A text without the spans; without a conversation, or beyond its bound, a plain label stands for them. */
export function masked(vault: Vault, conversation: string | undefined, text: string, spans: readonly Masked[], origin: Direction): { readonly vault: Vault; readonly text: string } {
  const held = vault.find((each) => each.conversation === conversation)
  const values = [...(held?.values ?? [])]
  let out = ''
  let from = 0
  for (const { start, end, name, restorable } of spans) {
    out += text.slice(from, start) + (restorable && conversation !== undefined ? tokenFor(values, labelOf(name), text.slice(start, end), origin) : `<${labelOf(name)}>`)
    from = end
  }
  const rest = vault.filter((each) => each !== held)
  return { text: out + text.slice(from), vault: conversation === undefined || values.length === 0 ? vault : [...rest, { conversation, values }].slice(-CONVERSATIONS_MAX) }
}

/** The token that stands for a value; the same one for the same value. */
function tokenFor(values: Kept[], label: string, value: string, origin: Direction): string {
  const at = values.findIndex((each) => each.value === value && each.token.startsWith(`<${label}_`))
  const known = values[at]
  if (known !== undefined) {
    if (origin === 'input') values[at] = { ...known, origin }
    return known.token
  }
  if (values.length >= VALUES_MAX) return `<${label}>`
  const token = `<${label}_${values.filter((each) => each.token.startsWith(`<${label}_`)).length + 1}>`
  values.push({ token, value, origin })
  return token
}

/** The text with its values back; with `origin`, only those that came that way. */
export function unmasked(vault: Vault, conversation: string, text: string, origin: Direction | undefined): { readonly text: string; readonly restored: number } {
  const values = new Map(vault.find((each) => each.conversation === conversation)?.values.filter((each) => origin === undefined || each.origin === origin).map(({ token, value }) => [token, value]))
  let restored = 0
  const whole = text.replaceAll(TOKEN, (token) => {
    const value = values.get(token)
    if (value !== undefined) restored++
    return value ?? token
  })
  return { text: whole, restored }
}

export const without = (vault: Vault, conversation: string): Vault => vault.filter((each) => each.conversation !== conversation)
