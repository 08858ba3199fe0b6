/** Figures in the words of Prometheus: the gateway's own, the troupe's by inspection, and those of the model host. */
import { memoryUsage } from 'node:process'
import type { Troupe } from '../../runtime/index.js'
import { LABELS_MAX } from './limits.js'

/** As much of a model host as has figures. */
export interface Measured {
  metrics(): Readonly<Record<string, object>>
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const

/** Counts by label, a bounded number of them. */
class Counts {
  readonly #counts = new Map<string | number, { n: number }>()

  add(label: string | number): void {
    const count = this.#counts.get(label)
    if (count === undefined) this.#first(label)
    else count.n++
  }

  #first(label: string | number): void {
    if (this.#counts.size < LABELS_MAX || label === 'other') this.#counts.set(label, { n: 1 })
    else this.add('other')
  }

  lines(name: string, label: string): string[] {
    return Array.from(this.#counts, ([value, { n }]) => `${name}{${label}="${escaped(String(value))}"} ${n}`)
  }
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

export class Metrics {
  readonly #troupe: Troupe
  readonly #host: Measured | undefined
  readonly #statuses = new Counts()
  readonly #codes = new Counts()
  readonly #facts = new Counts()
  readonly #buckets: number[] = SECONDS.map(() => 0)
  #seconds = 0
  #requests = 0
  #inspecting: (() => void) | undefined
  inFlight = 0
  streams = 0
  conversations = 0

  constructor(troupe: Troupe, host: Measured | undefined) {
    this.#troupe = troupe
    this.#host = host
  }

  request(status: number, code: string | undefined, ms: number): void {
    this.#requests++
    this.#seconds += ms / 1_000
    this.#statuses.add(status)
    if (code !== undefined) this.#codes.add(code)
    let at = 0
    while (at < SECONDS.length && ms > (SECONDS[at] as number) * 1_000) at++
    if (at < SECONDS.length) (this.#buckets[at] as number) += 1
  }

  stop(): void {
    this.#inspecting?.()
    this.#inspecting = undefined
  }

  /** The troupe's envelopes are counted from the first reading on: before it, nobody pays for that. */
  text(): string {
    this.#inspecting ??= this.#troupe.inspect(({ kind }) => this.#facts.add(kind))
    const { rss, heapUsed } = memoryUsage()
    const dead = Object.entries(this.#troupe.deadLetters.counts()).filter(([, count]) => typeof count === 'number')
    return [
      ...family('troupe_gateway_requests_total', 'counter', 'Requests answered, by status.', this.#statuses.lines('troupe_gateway_requests_total', 'status')),
      ...family('troupe_gateway_errors_total', 'counter', 'Requests answered with an error, by its code.', this.#codes.lines('troupe_gateway_errors_total', 'code')),
      ...this.#durations(),
      ...gauge('troupe_gateway_in_flight', 'Requests, streams and conversations under way.', this.inFlight),
      ...gauge('troupe_gateway_streams', 'Streams open.', this.streams),
      ...gauge('troupe_gateway_conversations', 'WebSocket conversations open.', this.conversations),
      ...family('troupe_envelopes_total', 'counter', 'What happened to envelopes, since the first reading of these figures.', this.#facts.lines('troupe_envelopes_total', 'fact')),
      ...family('troupe_dead_letters_total', 'counter', 'Dead letters, by reason.', dead.map(([reason, count]) => `troupe_dead_letters_total{reason="${escaped(reason)}"} ${count}`)),
      ...this.#models(),
      ...gauge('process_resident_memory_bytes', 'Memory of the process.', rss),
      ...gauge('nodejs_heap_size_used_bytes', 'Memory of its JavaScript objects.', heapUsed),
      '',
    ].join('\n')
  }

  #durations(): string[] {
    const name = 'troupe_gateway_request_seconds'
    let sum = 0
    const buckets = SECONDS.map((bound, at) => `${name}_bucket{le="${bound}"} ${(sum += this.#buckets[at] as number)}`)
    return family(name, 'histogram', 'How long requests took, streams included.', [...buckets, `${name}_bucket{le="+Inf"} ${this.#requests}`, `${name}_sum ${this.#seconds}`, `${name}_count ${this.#requests}`])
  }

  /** The host's figures, each under its own name: `tokensWritten` is `troupe_model_tokens_written`. */
  #models(): string[] {
    const models = Object.entries(this.#host?.metrics() ?? {})
    const names = new Set(models.flatMap(([, figures]) => Object.entries(figures).flatMap(([name, value]) => (typeof value === 'number' ? name : []))))
    return Array.from(names).flatMap((figure) => {
      const name = `troupe_model_${figure.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`
      const lines = models.map(([model, figures]) => `${name}{model="${escaped(model)}"} ${(figures as Record<string, number>)[figure] ?? 0}`)
      return family(name, 'gauge', `The model host's ${figure}.`, lines)
    })
  }
}

const family = (name: string, type: string, help: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines])
const gauge = (name: string, help: string, value: number): string[] => family(name, 'gauge', help, [`${name} ${value}`])
