/** An effect that a chart has under way, run again only to see how far it comes. */
import type { Cell } from './cell.js'
import { DurableRun } from './durable-run.js'
import { EffectRun, type Outcome } from './effect-run.js'
import type { Inference } from './effects.js'
import type { InvokedEffect } from './machine-effects.js'
import { never, NEVER } from './rehearsed-me.js'

/** What is on record is given back, and nothing else comes. */
export class RehearsedRun extends DurableRun {
  override effect<T>(name: string, input: unknown): Promise<T> {
    return super.effect(name, input, never)
  }

  override infer(name: string, input: unknown): Inference {
    return super.infer(name, input, () => NEVER)
  }
}

/** Resolves with what it comes to, when all that is on record brings it to its end. */
export function rehearsedEffect(cell: Cell, effect: InvokedEffect, { id, input }: { readonly id: string; readonly input: unknown }, run: RehearsedRun): Promise<Outcome> {
  return new Promise((resolve) => new EffectRun(cell, effect, id, undefined, resolve, () => run).start(input))
}
