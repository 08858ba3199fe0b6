/** The shop's pages, as documents for the retriever. */
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Document } from 'troupe/actors'

export async function pages(): Promise<Document[]> {
  const folder = new URL('pages/', import.meta.url)
  const names = (await readdir(fileURLToPath(folder))).filter((name) => name.endsWith('.md')).toSorted()
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(new URL(name, folder), 'utf8')
      const title = /^# (.+)$/m.exec(text)?.[1] ?? name
      return { id: name, title, text, source: `pages/${name}` }
    }),
  )
}
