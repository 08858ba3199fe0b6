import { TroupeError, type Address, type Me } from '../../runtime/index.js'
import type { ToolSpec } from '../../models/index.js'
import { specOf, type Tool, type ToolSource } from './tool.js'

/** The tools of one agent: its own, and those that sources list once they are open. */
export class Toolbox {
  readonly #own: readonly Tool[]
  readonly #sources: readonly ToolSource[]
  /** The actors that use it now: all of a keyed kind share one. */
  readonly #users = new Set<Address>()

  constructor(given: readonly (Tool | ToolSource)[]) {
    this.#own = given.filter((each): each is Tool => 'doing' in each)
    this.#sources = given.filter((each): each is ToolSource => 'open' in each)
    named(this.#own)
  }

  /** What a source lists is recorded, so that a run that goes on after a crash has the tools with which it began. */
  async open(me: Pick<Me, 'step' | 'signal' | 'id'>): Promise<Map<string, Tool>> {
    this.#users.add(me.id)
    const listed = await Promise.all(
      this.#sources.map(async (source) => {
        const specs = await me.step(`tools of ${source.name}`, async ({ signal }): Promise<ToolSpec[]> => (await source.open(signal, this)).map(specOf))
        const tools = new Map((await source.open(me.signal, this)).map((tool) => [tool.name, tool]))
        return specs.flatMap((spec) => {
          const tool = tools.get(spec.name)
          return tool === undefined ? [] : [{ ...tool, ...spec }]
        })
      }),
    )
    return named([...this.#own, ...listed.flat()])
  }

  /** The last one shuts the door. */
  async close(user: Address): Promise<void> {
    if (!this.#users.delete(user) || this.#users.size > 0) return
    await Promise.allSettled(this.#sources.map((source) => source.close(this)))
  }
}

function named(tools: readonly Tool[]): Map<string, Tool> {
  const byName = new Map(tools.map((tool) => [tool.name, tool]))
  const twice = tools.find((tool) => byName.get(tool.name) !== tool)
  if (twice !== undefined) throw new TroupeError('InvalidDefinition', `two tools are called ${twice.name}`, 'give one of them another name, or its source a prefix')
  return byName
}
