/** From findings to a verdict: the harshest counts, and what is redacted goes to the vault. */
import type { Part } from '../parts.js'
import type { Direction, Finding } from './finding.js'
import { apart } from './personal.js'
import type { GuardReason, GuardVerdict } from './protocol.js'
import { masked, type Vault } from './vault.js'

export interface Looked {
  readonly parts: readonly Part[]
  /** Of each part. */
  readonly findings: readonly (readonly Finding[])[]
  readonly direction: Direction
  readonly conversation: string | undefined
}

/** A key that leaked is never put back; what a person said about somebody may be. */
const RESTORABLE = new Set(['personal', 'pattern'])

export function judge(vault: Vault, { parts, findings, direction, conversation }: Looked): { readonly vault: Vault; readonly verdict: GuardVerdict } {
  const reasons = findings.flatMap((found, part) => found.map(({ rule, name, action, start, end, score }): GuardReason => ({ rule, name, action, part, start, end, score })))
  const unread = parts.flatMap(({ type }, at) => (type === 'text' ? [] : [at]))
  if (reasons.some(({ action }) => action === 'refuse')) return { vault, verdict: { verdict: 'refuse', reasons, text: '', parts: [], unread } }
  let kept = vault
  const safe = parts.map((part, at): Part => {
    const spans = apart(findings[at] ?? [])
    if (part.type !== 'text' || spans.length === 0) return part
    const { text, vault: next } = masked(kept, conversation, part.text, spans.map(({ start, end, name, rule }) => ({ start, end, name: rule === 'secret' ? 'secret' : name, restorable: RESTORABLE.has(rule) })), direction)
    kept = next
    return { type: 'text', text }
  })
  return { vault: kept, verdict: { verdict: reasons.length === 0 ? 'allow' : 'redact', reasons, text: textOf(safe), parts: safe, unread } }
}

const textOf = (parts: readonly Part[]): string => parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n')
