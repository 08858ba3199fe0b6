/** When bad news on one topic comes thick and fast. */
import { concatMap, from, groupBy, mergeMap, scan, type OperatorFunction } from 'rxjs'

export interface Judged {
  readonly at: number
  readonly text: string
  readonly topic: string
  readonly sentiment: 'negative' | 'neutral' | 'positive'
}
export interface Surge {
  readonly at: number
  readonly topic: string
  /** What made it one, the oldest first. */
  readonly headlines: readonly Judged[]
}
interface Settings {
  readonly windowMs: number
  /** So many negative headlines on one topic within the window … */
  readonly negativeMin: number
  /** … and at least this share of all on it. */
  readonly shareMin: number
}
interface Watched {
  readonly recent: readonly Judged[]
  readonly isSurging: boolean
  readonly alert: Surge | undefined
}

/** One alert for a surge, however long it lasts; the next when the topic has been calm in between. By the headlines' own time. */
export function surges({ windowMs, negativeMin, shareMin }: Settings): OperatorFunction<Judged, Surge> {
  const watch = (before: Watched, headline: Judged): Watched => {
    const recent = [...before.recent.filter(({ at }) => at > headline.at - windowMs), headline]
    const negative = recent.filter(({ sentiment }) => sentiment === 'negative')
    const isSurging = negative.length >= negativeMin && negative.length >= shareMin * recent.length
    return { recent, isSurging, alert: isSurging && !before.isSurging ? { at: headline.at, topic: headline.topic, headlines: negative } : undefined }
  }
  const calm: Watched = { recent: [], isSurging: false, alert: undefined }
  return (headlines) =>
    headlines.pipe(
      groupBy(({ topic }) => topic),
      mergeMap((ofTopic) => ofTopic.pipe(scan(watch, calm), concatMap(({ alert }) => from(alert === undefined ? [] : [alert])))),
    )
}
