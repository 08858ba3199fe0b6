// Type tests are compiled by `npm run check` and never run: a line that must not compile has @ts-expect-error before it,
// and the compiler fails when it does compile.
import type { Duration } from '../../src/ground/duration.js'
import { TroupeError } from '../../src/ground/errors.js'

export const durations: Duration[] = [250, '250ms', '2s', '1.5m', '1h', '3d']

// @ts-expect-error a unit that does not exist
export const fortnight: Duration = '1fortnight'

// @ts-expect-error a number without its unit
export const bare: Duration = '30'

// @ts-expect-error codes are a closed union
export const unknown = new TroupeError('NoSuchCode', 'a message', 'a hint')
