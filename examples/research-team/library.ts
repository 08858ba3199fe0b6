/** The documents that the team works from: all that is in the folder `library`. */
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Document } from 'troupe/actors'

export async function library(): Promise<Document[]> {
  const folder = new URL('library/', import.meta.url)
  const names = (await readdir(fileURLToPath(folder))).filter((name) => name.endsWith('.md')).toSorted()
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(new URL(name, folder), 'utf8')
      return { id: name, title: /^# (.+)$/m.exec(text)?.[1] ?? name, text, source: `library/${name}` }
    }),
  )
}
