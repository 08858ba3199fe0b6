/** Cuts Markdown into passages: by headings, then by sentences, each short enough for a small model. */
import { sentencesOf } from '../words.js'

export interface Cut {
  /** The nearest heading, or the document's title. */
  readonly title: string
  readonly text: string
}

/** What the embedded generator was trained on. */
const PASSAGE_CHARS_MAX = 300

export function passagesOf(title: string, markdown: string): Cut[] {
  const cuts: Cut[] = []
  for (const section of sectionsOf(title, markdown)) {
    let text = ''
    for (const sentence of section.sentences.flatMap((each) => shortened(each))) {
      if (text !== '' && text.length + 1 + sentence.length > PASSAGE_CHARS_MAX) {
        cuts.push({ title: section.title, text })
        text = ''
      }
      text = text === '' ? sentence : `${text}${/[。！？]$/.test(text) ? '' : ' '}${sentence}`
    }
    if (text !== '') cuts.push({ title: section.title, text })
  }
  return cuts
}

interface Section {
  readonly title: string
  readonly sentences: string[]
}

function sectionsOf(title: string, markdown: string): Section[] {
  const sections: Section[] = [{ title, sentences: [] }]
  let paragraph: string[] = []
  const close = (): void => {
    sections.at(-1)?.sentences.push(...sentencesOf(paragraph.join(' ')))
    paragraph = []
  }
  for (const line of markdown.split(/\r?\n/)) {
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)
    const item = /^\s*(?:[-*+]|\d+\.)\s+(.*)$/.exec(line)
    if (heading !== null || item !== null || line.trim() === '') close()
    // A heading that repeats the document's title starts no section of its own.
    if (heading !== null) sections.push({ title: plain(heading[1] as string), sentences: [] })
    else if (line.trim() !== '') paragraph.push(plain(item === null ? line.trim() : (item[1] as string)))
  }
  close()
  return sections
}

/** Text without the marks of Markdown. */
const plain = (text: string): string => text.replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}/g, '')

/** A sentence longer than a passage is cut between words, or anywhere when it has none. */
function shortened(sentence: string): string[] {
  const parts: string[] = []
  let rest = sentence
  while (rest.length > PASSAGE_CHARS_MAX) {
    const space = rest.lastIndexOf(' ', PASSAGE_CHARS_MAX)
    const at = space > 0 ? space : PASSAGE_CHARS_MAX
    parts.push(rest.slice(0, at).trim())
    rest = rest.slice(at).trim()
  }
  return rest === '' ? parts : [...parts, rest]
}
