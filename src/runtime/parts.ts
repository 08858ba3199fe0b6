import type { Clock } from '../ground/clock.js'
import type { Address } from './address.js'
import type { Kernels } from './effects.js'
import type { Endings } from './endings.js'
import type { Inspection } from './inspection.js'
import type { Dispatcher } from './dispatcher.js'
import type { Dozing } from './dozing.js'
import type { Definition } from './definition.js'
import type { Journal } from './journal.js'
import type { Interceptors } from './interceptors.js'
import type { Post } from './post.js'
import type { Protocol, Specs } from './protocol.js'
import type { Ref } from './ref.js'
import type { Replies } from './replies.js'
import type { Router } from './router.js'
import type { Topics } from './topics.js'
import type { Nodes } from './transport/nodes.js'
import type { Unclaimed } from './unclaimed.js'
import type { Wakes } from './wakes.js'

/** What the cells of one troupe share. */
export interface Parts {
  readonly clock: Clock
  readonly dispatcher: Dispatcher
  readonly inspection: Inspection
  readonly endings: Endings
  readonly replies: Replies
  readonly router: Router
  readonly topics: Topics
  /** Where durable actors keep what they accept and commit, in a troupe that has a store. */
  readonly journal: Journal | undefined
  /** The other nodes, in a troupe that has some. */
  readonly nodes: Nodes | undefined
  /** What waits for durable actors that are not back yet. */
  readonly unclaimed: Unclaimed
  /** Who is to be woken for what is in the log. */
  readonly wakes: Wakes
  /** Durable actors that left memory while their handlers wait. */
  readonly dozing: Dozing
  readonly post: Post
  readonly interceptors: Interceptors
  /** Whether schemas are checked on sends inside this process too. */
  readonly checked: boolean
  readonly ref: <S extends Specs>(protocol: Protocol<S>, address: Address) => Ref<S>
  readonly log: (address: string, words: readonly unknown[]) => void
  /** The kernels that a definition's actors reach, loading their default host on first need. */
  readonly kernels: (definition: Definition) => Promise<Kernels>
}
