/** The troupe: one shelf, and a reader for each that comes. */
import { createTroupe, type Ref } from 'troupe'
import { createHost } from 'troupe/models'
import { items } from './items.js'
import { Reader, reader } from './reader.js'
import { shelf } from './shelf.js'

export interface Library {
  readonly reader: (name: string) => Ref<(typeof Reader)['specs']>
  close(): Promise<void>
}

export async function openLibrary(): Promise<Library> {
  const host = await createHost()
  const troupe = await createTroupe({ host })
  const all = troupe.spawn('shelf', shelf(items))
  troupe.keyed('reader', reader(all))
  return {
    reader: (name) => troupe.ref(Reader, `reader/${name}`),
    close: async () => {
      await troupe.stop()
      await host.stop()
    },
  }
}
