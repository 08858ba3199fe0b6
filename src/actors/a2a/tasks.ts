/** Tasks that callers may still ask about: each sees its own, and the oldest are forgotten. */
type Context = import('@a2a-js/sdk/server').ServerCallContext
type Store = import('@a2a-js/sdk/server').TaskStore
type Task = import('@a2a-js/sdk').Task
type Page = import('@a2a-js/sdk').ListTasksResponse
type Wanted = import('@a2a-js/sdk').ListTasksRequest

const PAGE = 50

export class Tasks implements Store {
  readonly #kept = new Map<string, { readonly owner: string; readonly task: Task }>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  save(task: Task, context: Context): Promise<void> {
    const key = keyOf(task.id, context)
    this.#kept.delete(key)
    this.#kept.set(key, { owner: ownerOf(context), task })
    if (this.#kept.size > this.#max) this.#forgetOne(ownerOf(context))
    return Promise.resolve()
  }

  /** One's own oldest when half of all are one's own: nobody makes others' tasks forgotten. */
  #forgetOne(owner: string): void {
    const own = Array.from(this.#kept).filter(([, kept]) => kept.owner === owner)
    const [oldest] = own.length * 2 > this.#max ? own.map(([key]) => key) : this.#kept.keys()
    if (oldest !== undefined) this.#kept.delete(oldest)
  }

  load(id: string, context: Context): Promise<Task | undefined> {
    return Promise.resolve(this.#kept.get(keyOf(id, context))?.task)
  }

  list({ contextId, status, pageSize = PAGE, pageToken }: Wanted, context: Context): Promise<Page> {
    const own = [...this.#kept.values()].filter(({ owner }) => owner === ownerOf(context)).map(({ task }) => task)
    const wanted: number = status
    const found = own.filter((task) => (contextId === '' || task.contextId === contextId) && (wanted === 0 || task.status?.state === status)).toReversed()
    const from = Math.max(0, Number(pageToken) || 0)
    const size = Math.min(Math.max(1, pageSize), PAGE)
    const next = from + size < found.length ? String(from + size) : ''
    return Promise.resolve({ tasks: found.slice(from, from + size), nextPageToken: next, pageSize: size, totalSize: found.length })
  }
}

export const ownerOf = (context: Context): string => context.user?.userName ?? ''
const keyOf = (id: string, context: Context): string => JSON.stringify([ownerOf(context), id])
