/** Wire → understanding → alerts, on the clock that it is given. */
import { concatMap, lastValueFrom, share, tap, toArray } from 'rxjs'
import { createTroupe, type Troupe } from 'troupe'
import { nlu, type Example } from 'troupe/actors'
import { createHost } from 'troupe/models'
import { virtualClock } from 'troupe/testing'
import { surges, type Judged, type Surge } from './surges.js'
import { wire, type Headline } from './wire.js'

const HOUR = 3_600_000
const ALARM = { windowMs: 2 * HOUR, negativeMin: 4, shareMin: 0.6 }

interface Day {
  readonly start: number
  readonly headlines: readonly Headline[]
  readonly topics: readonly Example[]
  readonly onHeadline?: (judged: Judged) => void
  readonly onSurge?: (surge: Surge) => void
}

export async function watchNews({ start, headlines, topics, onHeadline = () => {}, onSurge = () => {} }: Day): Promise<readonly Surge[]> {
  const clock = virtualClock({ start })
  const host = await createHost()
  const troupe = await createTroupe({ host, clock })
  try {
    return await alerts(troupe, clock, { headlines, topics, onHeadline, onSurge })
  } finally {
    await troupe.stop()
    await host.stop()
  }
}

async function alerts(troupe: Troupe, clock: ReturnType<typeof virtualClock>, { headlines, topics, onHeadline, onSurge }: Required<Omit<Day, 'start'>>): Promise<Surge[]> {
  const reader = troupe.spawn('reader', nlu({ examples: topics }))
  const judged = troupe
    .spawn('wire', wire(headlines))
    .observe({ type: 'headlines' }, { timeout: 'none' })
    .pipe(
      // One after another, so that they stay in order however long each takes to read.
      concatMap(async ({ at, text }): Promise<Judged> => {
        const { intents, outOfScope, sentiment } = await reader.ask({ type: 'parse', text, now: at }, { timeout: 'none' })
        return { at, text, topic: outOfScope ? 'other' : (intents[0]?.name ?? 'other'), sentiment: sentiment?.label ?? 'neutral' }
      }),
      tap(onHeadline),
      share(),
    )
  let isOver = false
  const found = lastValueFrom(judged.pipe(surges(ALARM), tap(onSurge), toArray())).finally(() => (isOver = true))
  // The day passes as fast as the headlines are read.
  while (!isOver) await clock.advance('10m')
  return found
}
