import { TroupeError } from '../ground/errors.js'
import { NAMED_REMOTES_MAX } from './limits.js'
import type { RemoteModel } from './remote.js'

const named = new Map<string, RemoteModel>()

/**
 * A name under which every host of this process finds a provider's model, for a definition that was given the object.
 * The same model has the same name in each life of a program, as long as it names its models in the same order.
 */
export function nameRemote(model: RemoteModel): string {
  for (let n = 1; ; n++) {
    const name = `remote:${model.provider}/${model.modelId}${n === 1 ? '' : `#${n}`}`
    const known = named.get(name)
    if (known === model) return name
    if (known !== undefined) continue
    if (named.size >= NAMED_REMOTES_MAX) throw new TroupeError('Overloaded', `${named.size} models of providers have been named in this process`, 'make a model object once and use it for all that need it')
    named.set(name, model)
    return name
  }
}

export const remoteNamed = (name: string): RemoteModel | undefined => named.get(name)
