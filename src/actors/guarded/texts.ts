/** The texts within a message, a reply or a chunk, wherever they stand, and the same value with others in their place. */

export type Path = readonly (string | number)[]
export interface Placed {
  readonly path: Path
  readonly text: string
}

/** Deeper, nothing is looked at: such a value is refused. */
const DEPTH_MAX = 12
/** Fields whose text is the program's, not a person's or a model's. */
export const PLAIN_FIELDS: readonly string[] = ['type', 'kind', 'id', 'role', 'language', 'how', 'source', 'blob']

/** Every text but those in the fields named; `undefined` when the value is too deep to look through. */
export function textsIn(value: unknown, except: ReadonlySet<string>): readonly Placed[] | undefined {
  const found: Placed[] = []
  const look = (each: unknown, path: Path): boolean => {
    if (typeof each === 'string') {
      if (each.trim() !== '') found.push({ path, text: each })
      return true
    }
    if (typeof each !== 'object' || each === null || ArrayBuffer.isView(each)) return true
    if (path.length >= DEPTH_MAX) return false
    const entries = Array.isArray(each) ? each.map((item, at) => [at, item] as const) : Object.entries(each).filter(([name]) => !except.has(name))
    return entries.every(([name, item]) => look(item, [...path, name]))
  }
  return look(value, []) ? found : undefined
}

/** The value with another text at each place. */
export function withTexts(value: unknown, placed: readonly Placed[]): unknown {
  return placed.reduce((whole, { path, text }) => put(whole, path, text), value)
}

function put(value: unknown, [name, ...rest]: Path, text: string): unknown {
  if (name === undefined) return text
  if (Array.isArray(value)) return value.map((item: unknown, at) => (at === name ? put(item, rest, text) : item))
  const fields = value as Readonly<Record<string, unknown>>
  return { ...fields, [name]: put(fields[name], rest, text) }
}

/** The item of a list, innermost, in which a place lies; `undefined` when it lies in no list. */
export function itemOf(path: Path): Path | undefined {
  const at = path.findLastIndex((name) => typeof name === 'number')
  return at < 0 ? undefined : path.slice(0, at + 1)
}

/** The value without items of its lists. */
export function withoutItems(value: unknown, items: readonly Path[]): unknown {
  const keys = new Set(items.map((path) => JSON.stringify(path)))
  const visit = (each: unknown, path: Path): unknown => {
    if (Array.isArray(each)) return each.flatMap((item: unknown, at) => (keys.has(JSON.stringify([...path, at])) ? [] : [visit(item, [...path, at])]))
    if (typeof each !== 'object' || each === null || ArrayBuffer.isView(each)) return each
    return Object.fromEntries(Object.entries(each).map(([name, item]) => [name, visit(item, [...path, name])]))
  }
  return items.length === 0 ? value : visit(value, [])
}
