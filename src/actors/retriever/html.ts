/** HTML as sections: its main text, without scripts, menus and forms. The door to htmlparser2. */
import { Parser } from 'htmlparser2'
import type { Section } from './sections.js'

/** What a reader of the page's text does not want. */
const SILENT = new Set(['script', 'style', 'noscript', 'template', 'nav', 'header', 'footer', 'aside', 'form', 'button', 'select', 'svg', 'iframe', 'head'])
const HEADINGS = new Set(['h1', 'h2', 'h3', 'h4', 'h5', 'h6'])
const BLOCKS = new Set(['p', 'div', 'section', 'article', 'main', 'li', 'ul', 'ol', 'dl', 'dt', 'dd', 'blockquote', 'figure', 'figcaption', 'table', 'thead', 'tbody', 'body', 'html', 'br', 'hr', 'details', 'summary', 'address'])

export function htmlSections(title: string, html: string): { title: string; sections: Section[] } {
  const reader = new Reader(title)
  const parser = new Parser({ onopentag: (name) => reader.open(name), onclosetag: (name) => reader.close(name), ontext: (text) => reader.say(text) })
  parser.write(html)
  parser.end()
  return reader.end()
}

class Reader {
  readonly #given: string
  readonly #sections: Section[]
  #title = ''
  #text = ''
  #cells: string[] = []
  #silent = 0
  #verbatim = 0
  #heading = false
  #naming = false
  /** Inside an article or the main part, a header belongs to the text. */
  #main = 0

  constructor(title: string) {
    this.#given = title
    this.#sections = [{ title, blocks: [] }]
  }

  open(name: string): void {
    if (name === 'title') this.#naming = this.#main === 0
    if (this.#isSilent(name)) this.#silent++
    if (this.#silent > 0) return
    if (name === 'main' || name === 'article') this.#main++
    if (HEADINGS.has(name)) {
      this.#flush()
      this.#heading = true
    } else if (name === 'pre') {
      this.#flush()
      this.#verbatim++
    } else if (name === 'br' && this.#verbatim > 0) this.#text += '\n'
    else if (BLOCKS.has(name)) this.#flush()
  }

  close(name: string): void {
    if (name === 'title') this.#naming = false
    if (this.#isSilent(name)) this.#silent = Math.max(0, this.#silent - 1)
    if (this.#silent > 0) return
    if (name === 'main' || name === 'article') this.#main = Math.max(0, this.#main - 1)
    if (HEADINGS.has(name)) {
      this.#heading = false
      const said = this.#take()
      if (said !== '') this.#sections.push({ title: said, blocks: [] })
    } else if (name === 'td' || name === 'th') this.#cells.push(this.#take())
    else if (name === 'tr') this.#row()
    else if (name === 'pre') this.#code()
    else if (BLOCKS.has(name)) this.#flush()
  }

  say(text: string): void {
    if (this.#naming) this.#title += text
    else if (this.#silent === 0) this.#text += text
  }

  end(): { title: string; sections: Section[] } {
    this.#flush()
    const title = this.#given === '' ? this.#title.replaceAll(/\s+/g, ' ').trim() : this.#given
    const [first, ...others] = this.#sections as [Section, ...Section[]]
    return { title, sections: [{ ...first, title: first.title === '' ? title : first.title }, ...others] }
  }

  #isSilent(name: string): boolean {
    return SILENT.has(name) && !(name === 'header' && this.#main > 0)
  }

  #take(): string {
    const said = this.#text.replaceAll(/\s+/g, ' ').trim()
    this.#text = ''
    return said
  }

  #flush(): void {
    if (this.#heading || this.#verbatim > 0) return
    const said = this.#take()
    if (said !== '') this.#sections.at(-1)?.blocks.push({ kind: 'prose', text: said })
  }

  #row(): void {
    const cells = this.#cells.filter((cell) => cell !== '')
    this.#cells = []
    if (cells.length > 0) this.#sections.at(-1)?.blocks.push({ kind: 'lines', lines: [cells.join(' · ')] })
  }

  #code(): void {
    this.#verbatim = Math.max(0, this.#verbatim - 1)
    const lines = this.#text.split('\n').map((line) => line.trimEnd())
    this.#text = ''
    if (lines.some((line) => line !== '')) this.#sections.at(-1)?.blocks.push({ kind: 'lines', lines })
  }
}
