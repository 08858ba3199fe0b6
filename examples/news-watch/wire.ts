/** A news wire: headlines, each at its moment of the day. */
import { actor, protocol, stream } from 'troupe'
import { z } from 'zod'

const headline = z.object({ at: z.number(), text: z.string() })
export type Headline = z.infer<typeof headline>

export const Wire = protocol({ headlines: stream(null, headline) })

/** Sends what is on file when its time has come. */
export const wire = (day: readonly Headline[]) =>
  actor(Wire, {
    on: {
      headlines: async function* (_, me) {
        for (const each of day) {
          await me.sleep(Math.max(0, each.at - me.clock.now()))
          yield each
        }
      },
    },
  })
