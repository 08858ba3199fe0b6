/** The members of the team: one finds, one writes, one checks. Each speaks the agent's protocol. */
import type { Ref } from 'troupe'
import { performer, type AgentOutcome, type Check, type Generator, type Retriever } from 'troupe/actors'
import { read, write } from './notes.js'

const NO_USAGE: AgentOutcome['usage'] = { steps: 0, promptTokens: 0, completionTokens: 0, money: 0 }
/** Tasks of one member under way at once. */
const AT_ONCE = 4

/** Finds the passages that a question is about. */
export const researcher = (retriever: Ref<(typeof Retriever)['specs']>) =>
  performer(async function* ({ input }, me) {
    const { passages } = await me.ask(retriever, { type: 'search', query: input, limit: 2 })
    const text = write(input, passages)
    yield { kind: 'text', speaker: me.id, text }
    yield { kind: 'done', speaker: me.id, text, finish: 'stop', usage: NO_USAGE }
  }, { concurrency: AT_ONCE })

/** Writes an answer from the notes with the model. When that would not do, it quotes the first note instead. */
export const writer = (generator: Ref<(typeof Generator)['specs']>) =>
  performer(async function* ({ input }, me) {
    const { question, passages } = read(input)
    const quote = passages[0]?.text.replace(/^# [^.]*?(?=[A-Z][a-z]+ )/, '').match(/^.*?[.](?= |$)/)?.[0] ?? ''
    let text = input.includes('This will not do') ? `${quote} [1]` : ''
    let usage = NO_USAGE
    if (text !== '') yield { kind: 'text', speaker: me.id, text }
    else {
      for await (const chunk of me.stream(generator, { type: 'answer', question, passages }, { timeout: '2m' })) {
        if (chunk.kind === 'done') usage = { steps: 1, ...chunk.usage, money: 0 }
        else {
          if (chunk.kind === 'text') text += chunk.text
          yield chunk.kind === 'text' ? { kind: 'text', speaker: me.id, text: chunk.text } : { kind: 'thought', speaker: me.id, text: `${chunk.reason}: ${chunk.text}` }
        }
      }
    }
    yield { kind: 'done', speaker: me.id, text: text.replaceAll(/\[(\d)\]/g, (mark, number) => `[${passages[Number(number) - 1]?.source ?? mark}]`), finish: 'stop', usage }
  }, { concurrency: AT_ONCE })

const words = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]{4,}/gu) ?? []

/** A rule, no model: an answer says something, cites a note, and uses no word that the notes do not. */
export const critic: Check = ({ text }, task) => {
  const { passages } = read(task)
  const known = new Set(words(passages.map((passage) => passage.text).join(' ')))
  if (text.trim() === '') return 'it says nothing'
  if (!passages.some(({ source }) => text.includes(`[${source}]`))) return 'it cites nothing'
  const strange = words(text.replaceAll(/\[[^\]]*\]/g, '')).find((word) => !known.has(word))
  return strange === undefined || `the notes do not say ${strange}`
}
