/** What the researcher finds, as text that the others read: one paragraph a passage. */
import type { Source } from 'troupe/actors'

export const write = (question: string, passages: readonly Source[]): string => [`Question: ${question}`, ...passages.map(({ title, source, text }) => `Note (${title}, ${source}): ${text.replace(/\s+/g, ' ')}`)].join('\n\n')

export function read(notes: string): { readonly question: string; readonly passages: readonly Source[] } {
  const passages = [...notes.matchAll(/^Note \((.*), (\S+)\): (.*)$/gm)].map(([, title = '', source = '', text = '']) => ({ title, source, text }))
  return { question: /^Question: (.*)$/m.exec(notes)?.[1] ?? notes, passages }
}
