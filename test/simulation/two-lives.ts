// Two nodes that talk over a link, on a network that does its worst, until all is at rest: what a link must keep is checked at each item.
import { pack, unpack } from '../../src/runtime/codec.js'
import { Link } from '../../src/runtime/transport/link.js'
import { chance } from '../../src/testing/chance.js'
import { LifeClock, Loop } from '../../src/testing/loop.js'
import { Network } from '../../src/testing/network.js'

const TALK_MS = 120_000
const STEPS_MAX = 1_000_000

interface Node {
  readonly life: number
  readonly link: Link
  readonly clock: LifeClock
  /** How often its link broke; the items of each time are counted anew. */
  epoch: number
  said: number
  kill(): void
}

/** What one side said between two breaks, as it was heard: by whom, and up to which. */
interface Heard {
  readonly by: string
  last: number
}

export class TwoLives {
  steps = 0
  breaks = 0
  lives = 0
  readonly lines: string[] = []
  readonly #seed: number
  readonly #random: () => number
  readonly #loop: Loop
  readonly #network: Network
  readonly #outside: LifeClock
  readonly #nodes = new Map<string, Node>()
  readonly #heard = new Map<string, Heard>()

  constructor(seed: number) {
    this.#seed = seed
    this.#random = chance(seed * 7_919)
    this.#loop = new Loop(chance(seed))
    this.#network = new Network(this.#loop, chance(seed + 77), (text) => this.#line(text))
    this.#outside = new LifeClock(this.#loop, () => this.#loop.elapsed, chance(1))
  }

  /** Throws what a link did that it must not. */
  play(): void {
    this.#start('a')
    this.#start('b')
    for (let n = this.#upTo(24); n > 0; n--) this.#later(() => this.#misfortune())
    for (let n = this.#upTo(this.#random() < 0.7 ? 12 : 200); n > 0; n--) this.#later(() => this.#speak(this.#some(), this.#random() < 0.1 ? 300 : 1 + this.#upTo(3)))
    this.#rest()
    // On a network that is well again what is said comes, or its sender is told that it is in doubt; what it says then comes,
    // though the other side has nothing to say.
    const speaker = this.#some()
    this.#outside.timer(2 * TALK_MS, () => this.#speak(speaker, 1))
    this.#rest()
    const before = this.#nodes.get(speaker)?.epoch
    this.#speak(speaker, 1)
    this.#rest()
    if (this.#nodes.get(speaker)?.epoch !== before) this.#fail(`${speaker} is not heard on a network that is well`)
    for (const { life, epoch, said } of this.#nodes.values()) {
      const last = this.#heard.get(`${life}.${epoch}`)?.last ?? -1
      if (last !== said - 1) this.#fail(`${said} said as ${life}.${epoch}, and heard up to ${last}`)
    }
  }

  #start(name: string): void {
    const life = ++this.lives
    const way = this.#network.open(name)
    const clock = new LifeClock(this.#loop, () => this.#loop.elapsed, chance(this.#seed * 31 + life))
    const link = new Link({
      clock,
      send: (bytes) => way.transport.send(name === 'a' ? 'b' : 'a', bytes),
      heard: (item) => this.#hear(node, item),
      // Somebody does for as long as there is talk; then a link comes to rest.
      waits: () => this.#loop.elapsed < TALK_MS,
      broke: (why) => {
        this.#line(`${name}, life ${life}: ${why}`)
        this.breaks++
        node.epoch++
        node.said = 0
      },
    })
    const kill = (): void => {
      clock.end()
      way.end()
    }
    const node: Node = { life, link, clock, epoch: 0, said: 0, kill }
    way.transport.open((_, bytes) => link.receive(bytes))
    link.greet()
    this.#nodes.set(name, node)
  }

  #hear({ life, epoch }: Node, item: Uint8Array): void {
    const [sender, n] = unpack(item) as [string, number]
    const by = `${life}.${epoch}`
    const heard = this.#heard.get(sender) ?? { by, last: -1 }
    this.#heard.set(sender, heard)
    if (heard.by !== by) this.#fail(`${n} of ${sender} was heard by ${by}, others of it by ${heard.by}`)
    if (n !== heard.last + 1) this.#fail(`${n} of ${sender} was heard after ${heard.last}`)
    heard.last = n
  }

  #speak(name: string, items: number): void {
    const node = this.#nodes.get(name)
    for (let i = 0; i < items && node !== undefined; i++) node.link.say(pack([`${node.life}.${node.epoch}`, node.said++]).slice())
  }

  #misfortune(): void {
    const [what, share, forMs] = [this.#random(), this.#random(), Math.floor(this.#random() ** 2 * 90_000)]
    if (what < 0.2) this.#network.suffer({ kind: 'loss', step: 0, share, forMs })
    else if (what < 0.4) this.#network.suffer({ kind: 'duplication', step: 0, share, forMs })
    else if (what < 0.6) this.#network.suffer({ kind: 'delay', step: 0, ms: Math.floor(share ** 3 * 40_000), forMs })
    else if (what < 0.8) this.#network.suffer({ kind: 'partition', step: 0, node: 'a', forMs })
    else this.#end(this.#some(), what < 0.86)
  }

  #end(name: string, politely: boolean): void {
    const node = this.#nodes.get(name)
    if (node === undefined) return
    this.#line(`${name}, life ${node.life}, ends`)
    if (politely) node.link.close()
    node.kill()
    this.#nodes.delete(name)
    this.#outside.timer(this.#upTo(3_000), () => this.#start(name))
  }

  /** Until nothing is left to happen: a link at rest has no timers. */
  #rest(): void {
    while (this.#loop.step(true)) if (++this.steps > STEPS_MAX) this.#fail('it never rests')
  }

  #later(run: () => void): void {
    this.#outside.timer(this.#upTo(TALK_MS), run)
  }

  #some(): string {
    return this.#random() < 0.5 ? 'a' : 'b'
  }

  #upTo(most: number): number {
    return Math.floor(this.#random() * (most + 1))
  }

  #line(text: string): void {
    this.lines.push(`${this.#loop.elapsed} ${text}`)
  }

  #fail(what: string): never {
    throw new Error(`seed ${this.#seed}: ${what}\n${this.lines.slice(-40).join('\n')}`)
  }
}
