// What every store keeps, ours and strangers': run by each with a way to open one that is empty, and open it again.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Change, Entry, Key, Store } from '../../src/runtime/store/store.js'

export interface Opener {
  readonly open: () => Promise<Store>
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const put = (key: Key, text: string): Change => ({ kind: 'put', key, value: bytes(text) })
const remove = (key: Key): Change => ({ kind: 'remove', key })
const texts = (entries: Iterable<Entry>): [Key, string][] => Array.from(entries, ({ key, value }) => [key, new TextDecoder().decode(value)])

export function storeContract(name: string, fresh: () => Promise<Opener>): void {
  describe(`${name} keeps the promise of a store`, () => {
    test('what was committed is read back, and nothing else', async () => {
      const store = await (await fresh()).open()
      await store.commit([put(['a', 1], 'one'), put(['a', 2], 'two')])
      expect(store.get(['a', 1])).toEqual(bytes('one'))
      expect(store.get(['a', 3])).toBeUndefined()
      await store.commit([remove(['a', 1]), put(['a', 2], 'zwei')])
      expect(store.get(['a', 1])).toBeUndefined()
      expect(texts(store.range(['a'], ['b']))).toEqual([[['a', 2], 'zwei']])
      await store.close()
    })

    test('what was committed is there when it is opened again', async () => {
      const { open } = await fresh()
      const store = await open()
      await store.commit([put(['kept'], 'yes')])
      await store.close()
      const again = await open()
      expect(texts(again.range([], ['zzz'])).filter(([key]) => key[0] === 'kept')).toEqual([[['kept'], 'yes']])
      await again.close()
    })

    test('a range is in the order of its keys: numbers by value, text by bytes, prefixes first', async () => {
      const store = await (await fresh()).open()
      const keys: Key[] = [['l'], ['l', 0], ['l', 2], ['l', 10], ['l', 4_294_967_296], ['l', 'a'], ['l', 'ab'], ['l', 'b', 1], ['l', 'é'], ['l', '中']]
      await store.commit([...keys].toReversed().map((key) => put(key, 'x')))
      expect(texts(store.range(['l'], ['m'])).map(([key]) => key)).toEqual(keys)
      expect(texts(store.range(['l', 2], ['l', 'a'])).map(([key]) => key)).toEqual([['l', 2], ['l', 10], ['l', 4_294_967_296]])
      await store.close()
    })

    test('what is given or got may change without changing what is stored', async () => {
      const store = await (await fresh()).open()
      const value = bytes('mine')
      await store.commit([{ kind: 'put', key: ['k'], value }])
      value.fill(0)
      expect(store.get(['k'])).toEqual(bytes('mine'))
      await store.close()
    })

    test('batches called at once take effect in the order of their calls', async () => {
      const store = await (await fresh()).open()
      await Promise.all(Array.from({ length: 200 }, (_, i) => store.commit([put(['k'], String(i)), put(['log', i], 'x')])))
      expect(new TextDecoder().decode(store.get(['k']))).toBe('199')
      expect(texts(store.range(['log'], ['loh']))).toHaveLength(200)
      await store.close()
    })

    test('agrees with a map, whatever the batches', async () => {
      const key = fc.tuple(fc.constantFrom('a', 'b'), fc.nat(20))
      const change = fc.oneof(fc.record({ key, text: fc.string() }), fc.record({ key }))
      const { open } = await fresh()
      const store = await open()
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(change, { maxLength: 8 }), { maxLength: 12 }), async (batches) => {
          await store.commit(texts(store.range(['a'], ['c'])).map(([old]) => remove(old)))
          const twin = new Map<string, string>()
          for (const batch of batches) {
            await store.commit(batch.map((one) => ('text' in one ? put(one.key, one.text) : remove(one.key))))
            for (const one of batch) {
              if ('text' in one) twin.set(JSON.stringify(one.key), one.text)
              else twin.delete(JSON.stringify(one.key))
            }
          }
          expect(Object.fromEntries(texts(store.range(['a'], ['c'])).map(([one, text]) => [JSON.stringify(one), text]))).toEqual(Object.fromEntries(twin))
        }),
        { numRuns: 30 },
      )
      await store.close()
    })
  })
}
