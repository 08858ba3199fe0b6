/** Markdown and plain text as sections: what stands under one heading, in blocks. */
import type { Section } from './sections.js'

export function markdownSections(title: string, markdown: string): Section[] {
  const sections: Section[] = [{ title, blocks: [] }]
  let paragraph: string[] = []
  let code: string[] | undefined
  const close = (): void => {
    if (paragraph.length > 0) sections.at(-1)?.blocks.push({ kind: 'prose', text: paragraph.join(' ') })
    paragraph = []
  }
  for (const line of withoutFrontMatter(markdown).split(/\r?\n/)) {
    if (/^\s*(```|~~~)/.test(line)) {
      close()
      if (code !== undefined && code.length > 0) sections.at(-1)?.blocks.push({ kind: 'lines', lines: code })
      code = code === undefined ? [] : undefined
      continue
    }
    if (code !== undefined) {
      code.push(line)
      continue
    }
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)
    const item = /^\s*(?:[-*+]|\d+\.)\s+(.*)$/.exec(line)
    const row = /^\s*\|(.*)\|\s*$/.exec(line)
    if (heading !== null || item !== null || row !== null || line.trim() === '') close()
    // A heading that repeats the document's title starts no section of its own.
    if (heading !== null) sections.push({ title: plain(heading[1] as string), blocks: [] })
    else if (row !== null) sections.at(-1)?.blocks.push(...rowOf(row[1] as string))
    else if (line.trim() !== '') paragraph.push(plain(item === null ? line.trim() : (item[1] as string)))
  }
  close()
  if (code !== undefined && code.length > 0) sections.at(-1)?.blocks.push({ kind: 'lines', lines: code })
  return sections
}

/** Paragraphs between empty lines, and nothing else that would have a meaning. */
export const textSections = (title: string, text: string): Section[] => [
  { title, blocks: text.split(/\r?\n\s*\r?\n/).filter((block) => block.trim() !== '').map((block) => ({ kind: 'prose', text: block.replaceAll(/\s+/g, ' ').trim() })) },
]

const withoutFrontMatter = (markdown: string): string => markdown.replace(/^---\r?\n[\s\S]*?\r?\n---(\r?\n|$)/, '')

/** A row of a table is one statement; the line between head and body says nothing. */
function rowOf(row: string): Section['blocks'] {
  if (/^[\s|:-]*$/.test(row)) return []
  return [{ kind: 'lines', lines: [row.split('|').map((cell) => plain(cell.trim())).filter((cell) => cell !== '').join(' · ')] }]
}

/** Text without the marks of Markdown. */
const plain = (text: string): string => text.replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}/g, '')
